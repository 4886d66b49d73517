using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Worker;

/// <summary>What becomes of a hint, with a scripted Keycloak and a clock of the test's own.</summary>
public sealed class ProvisioningWorkerTests(PostgresFixture postgres)
{
    private const string User = "/admin/realms/shop/users/ana";
    private const string NotFound = """{"error":"User not found"}""";
    private const string Ana = """{"id":"ana","username":"ana","enabled":true,"createdTimestamp":1795406457734}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hint_of_a_user_becomes_an_account_and_is_completed()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana));
        await bench.HintAsync("ana");
        Assert.Equal(1, await bench.WorkAsync());
        Assert.Equal(["ana active"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }

    [Fact]
    public async Task A_user_reported_before_the_commit_is_retried()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(404, NotFound), ScriptedKeycloak.Says(404, NotFound), ScriptedKeycloak.Says(200, Ana));
        await bench.HintAsync("ana");
        await bench.WorkAsync();
        Assert.Equal(0, await bench.WorkAsync());
        bench.Clock.Advance(TimeSpan.FromSeconds(2));
        await bench.WorkAsync();
        bench.Clock.Advance(TimeSpan.FromSeconds(4));
        await bench.WorkAsync();
        Assert.Equal(["ana active"], await bench.AccountsAsync());
    }

    [Fact]
    public async Task A_hint_of_a_missing_user_is_completed_after_five_minutes_and_leaves_nothing()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(404, NotFound));
        await bench.HintAsync("ana");
        await bench.WorkAsync();
        bench.Clock.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromSeconds(1));
        await bench.WorkAsync();
        Assert.Single(await bench.HintsAsync());
        bench.Clock.Advance(TimeSpan.FromSeconds(31));
        await bench.WorkAsync();
        Assert.Empty(await bench.HintsAsync());
        Assert.Equal(0, await bench.Database.ScalarAsync<int>("select count(*)::int from keycloak_users"));
    }

    [Fact]
    public async Task A_confirmed_deletion_of_an_unrecorded_user_outlives_an_older_reading_and_is_purged_after_a_day()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        var older = new GrantPolicy(Options.Create(new ProvisioningOptions())).Evaluate(
            new Subject("shop", "ana", true, false, null), bench.Clock.GetUtcNow(), HintSources.Webhook);
        bench.Clock.Advance(TimeSpan.FromSeconds(1));
        bench.Server.On(User, ScriptedKeycloak.Says(404, NotFound));
        await bench.HintAsync("ana", HintKind.Deleted);
        await bench.WorkAsync();

        await bench.Provisioner.ConvergeAsync([older], Token);

        Assert.Empty(await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
        using var purge = bench.NewPurge();
        bench.Clock.Advance(TimeSpan.FromHours(23));
        Assert.Equal(0, await purge.PurgeAsync(Token));
        bench.Clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal(1, await purge.PurgeAsync(Token));
        Assert.Equal(0, await bench.Database.ScalarAsync<int>("select count(*)::int from keycloak_users"));
    }

    [Fact]
    public async Task A_deleted_user_with_an_account_stays_on_record()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana), ScriptedKeycloak.Says(404, NotFound));
        await bench.HintAsync("ana");
        await bench.WorkAsync();
        await bench.HintAsync("ana", HintKind.Deleted);
        await bench.WorkAsync();
        using var purge = bench.NewPurge();
        bench.Clock.Advance(TimeSpan.FromDays(400));
        Assert.Equal(0, await purge.PurgeAsync(Token));
        Assert.Equal("deleted", await bench.Database.ScalarAsync<string>("select user_state from keycloak_users"));
    }

    [Fact]
    public async Task A_deletion_that_Keycloak_confirms_is_completed_at_once()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana), ScriptedKeycloak.Says(404, NotFound));
        await bench.HintAsync("ana");
        await bench.WorkAsync();
        await bench.HintAsync("ana", HintKind.Deleted);
        await bench.WorkAsync();
        Assert.Equal(["ana closed"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }

    [Fact]
    public async Task A_deletion_reported_before_the_commit_is_retried_until_Keycloak_confirms_it()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana), ScriptedKeycloak.Says(200, Ana), ScriptedKeycloak.Says(404, NotFound));
        await bench.HintAsync("ana");
        await bench.WorkAsync();
        await bench.HintAsync("ana", HintKind.Deleted);
        await bench.WorkAsync();
        Assert.Equal(["ana active"], await bench.AccountsAsync());

        bench.Clock.Advance(TimeSpan.FromSeconds(31));
        await bench.WorkAsync();
        Assert.Equal(["ana closed"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }

    [Fact]
    public async Task A_reported_deletion_that_never_happens_leaves_the_account_open()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana));
        await bench.HintAsync("ana", HintKind.Deleted);
        for (var attempt = 0; attempt < 12; attempt++)
        {
            await bench.WorkAsync();
            bench.Clock.Advance(TimeSpan.FromSeconds(31));
        }

        Assert.Equal(["ana active"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }

    [Fact]
    public async Task An_unreachable_Keycloak_costs_a_hint_none_of_its_attempts()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(503, ""));
        await bench.HintAsync("ana");
        for (var attempt = 0; attempt < 15; attempt++)
        {
            await bench.WorkPatientlyAsync();
            bench.Clock.Advance(TimeSpan.FromSeconds(31));
        }

        Assert.Equal(["ana waiting 0"], await bench.HintsAsync());
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana));
        await bench.WorkPatientlyAsync();
        Assert.Equal(["ana active"], await bench.AccountsAsync());
    }

    [Fact]
    public async Task A_hint_that_can_never_succeed_is_dead_with_its_error_after_ten_attempts()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, "<html>sign in</html>", "text/html"));
        bench.Server.On("/users/", ScriptedKeycloak.Says(404, NotFound));
        await bench.HintAsync("ana");
        for (var attempt = 0; attempt < 12; attempt++)
        {
            await bench.WorkPatientlyAsync();
            bench.Clock.Advance(TimeSpan.FromMinutes(6));
        }

        Assert.Equal(["ana dead 10"], await bench.HintsAsync());
        Assert.NotNull(await bench.Database.ScalarAsync<string>("select error from user_hints"));
    }

    [Fact]
    public async Task An_unreachable_realm_delays_no_other_realm()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(503, ""));
        bench.Server.On("s%C3%BCd/users/ben", ScriptedKeycloak.Says(200, """{"id":"ben","username":"ben","enabled":true}"""));
        await bench.HintAsync("ana");
        await bench.HintAsync("ben", realm: "münchen / süd");
        await bench.WorkPatientlyAsync();
        Assert.Equal(["ben active"], await bench.AccountsAsync());
    }

    [Fact]
    public async Task A_stopped_worker_releases_its_hints_at_once()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Hangs);
        await bench.HintAsync("ana");
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var work = bench.Worker.WorkAsync(stopping.Token);
        await Eventually.TrueAsync(
            () => bench.Server.Targets.Any(target => target.Contains(User, StringComparison.Ordinal)), "Keycloak is asked");
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => work);
        Assert.Equal(["ana waiting 0"], await bench.HintsAsync());
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana));
        Assert.Equal(1, await bench.WorkAsync());
    }

    [Fact]
    public async Task Logins_do_not_keep_the_hint_of_a_missing_user_alive()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(404, NotFound));
        await bench.HintAsync("ana");
        for (var minute = 0; minute < 7; minute++)
        {
            await bench.WorkAsync();
            bench.Clock.Advance(TimeSpan.FromMinutes(1));
            await bench.HintAsync("ana", HintKind.Seen);
            if (minute == 0)
                Assert.Equal(["ana waiting 1"], await bench.HintsAsync());
        }

        Assert.Equal(0, await bench.Database.ScalarAsync<int>("select count(*)::int from user_hints where kind = 'changed'"));
    }
}
