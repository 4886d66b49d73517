using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Provisioning;

/// <summary>What becomes of a hint, with a Keycloak that says what the test tells it to and a clock that the test moves.</summary>
public sealed class ProvisioningWorkerTests(PostgresServer postgres)
{
    private const string User = "/admin/realms/shop/users/ana";
    private const string NotFound = """{"error":"User not found"}""";
    private const string Ana = """{"id":"ana","username":"ana","enabled":true,"createdTimestamp":1795406457734}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hint_of_a_user_becomes_an_account_and_is_settled()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana));
        await bench.HintAsync("ana");
        Assert.Equal(1, await bench.WorkAsync());
        Assert.Equal(["ana active"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }

    [Fact]
    public async Task A_user_who_is_reported_before_the_commit_is_awaited()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
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
    public async Task A_phantom_is_settled_after_five_minutes_and_leaves_nothing()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
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
    public async Task Who_is_said_to_be_deleted_and_is_gone_is_settled_at_once()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana), ScriptedKeycloak.Says(404, NotFound));
        await bench.HintAsync("ana");
        await bench.WorkAsync();
        await bench.HintAsync("ana", HintKind.Deleted);
        await bench.WorkAsync();
        Assert.Equal(["ana closed"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }

    [Fact]
    public async Task Who_is_said_to_be_deleted_before_the_commit_is_looked_at_until_gone()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
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
    public async Task Who_is_said_to_be_deleted_and_never_goes_keeps_the_account()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
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
    public async Task A_Keycloak_that_is_away_costs_a_hint_none_of_its_tries()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
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
    public async Task A_hint_that_can_never_succeed_is_dead_with_its_error_after_ten_tries()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
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
    public async Task A_realm_that_is_away_delays_no_other_realm()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(503, ""));
        bench.Server.On("s%C3%BCd/users/ben", ScriptedKeycloak.Says(200, """{"id":"ben","username":"ben","enabled":true}"""));
        await bench.HintAsync("ana");
        await bench.HintAsync("ben", realm: "münchen / süd");
        await bench.WorkPatientlyAsync();
        Assert.Equal(["ben active"], await bench.AccountsAsync());
    }

    [Fact]
    public async Task A_worker_that_is_stopped_gives_its_hints_back_at_once()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Hangs);
        await bench.HintAsync("ana");
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var work = bench.Worker.WorkAsync(stopping.Token);
        await Eventually.TrueAsync(() => bench.Server.Targets.Any(target => target.Contains(User, StringComparison.Ordinal)), "Keycloak is asked");
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => work);
        Assert.Equal(["ana waiting 0"], await bench.HintsAsync());
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana));
        Assert.Equal(1, await bench.WorkAsync());
    }

    [Fact]
    public async Task Logins_do_not_keep_a_phantom_alive()
    {
        await using var bench = await WorkerBench.StartAsync(postgres);
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
