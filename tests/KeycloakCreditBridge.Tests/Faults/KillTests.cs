using Dapper;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

[StartsPrograms]
public sealed class KillTests
{
    private const string Converging = "hint_version)";

    [Fact]
    public async Task A_bridge_killed_between_claim_and_commit_loses_no_hint_and_grants_once()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await using var killed = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly);
        await using var blocker = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using (var transaction = await blocker.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await blocker.ExecuteAsync("lock table user_credits in share row exclusive mode");
            await fixture.CreateUserAsync("ana");
            await Eventually.TrueAsync(() => fixture.Database.WaitsAsync(Converging), "the converging statement waits");
            await killed.KillAsync();
            await fixture.Database.EndWaitingAsync(Converging);
        }

        Assert.Equal(0, await fixture.AccountsAsync());
        Assert.Equal(1, await fixture.HintsAsync());
        await using var next = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly);
        await Eventually.TrueAsync(async () => await fixture.AccountsAsync() == 1, "the account is opened");
        await Eventually.TrueAsync(async () => await fixture.HintsAsync() == 0, "the hint is completed");
    }

    [Fact]
    public async Task A_bridge_killed_after_a_commit_that_it_never_heard_of_grants_nothing_more()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await using var killed = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly);
        await using var blocker = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using (var transaction = await blocker.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await blocker.ExecuteAsync("lock table user_credits in share row exclusive mode");
            await fixture.CreateUserAsync("ana");
            await Eventually.TrueAsync(() => fixture.Database.WaitsAsync(Converging), "the converging statement waits");
            // From here on a commit is durable and never confirmed: it waits for a standby that there is not.
            await SetStandbyAsync(fixture, "ghost");
            await CommitsWaitAsync(fixture);
        }

        await Eventually.TrueAsync(() => fixture.Database.WaitsAsync(Converging, "IPC"), "the commit waits for its standby");
        await killed.KillAsync();
        await SetStandbyAsync(fixture, "");
        await Eventually.TrueAsync(async () => await fixture.AccountsAsync() == 1, "the commit is seen");
        await using var next = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly);
        await fixture.CreateUserAsync("ben");
        await Eventually.TrueAsync(async () => await fixture.AccountsAsync() == 2 && await fixture.HintsAsync() == 0,
            "the next user is done");
        Assert.Equal(10m, await fixture.Database.ScalarAsync<decimal>("select sum(amount) from credit_transactions"));
    }

    [Fact]
    public async Task A_PostgreSQL_crash_under_load_loses_no_account()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        // Its pauses after faults are multiples of this.
        await using var bridge = await BridgeProcess.StartAsync(
            fixture.BridgeUrl,
            new Dictionary<string, string>(fixture.Settings, StringComparer.Ordinal) { ["Intake:Poll:IdleInterval"] = "00:00:01" });
        for (var round = 0; round < 3; round++)
        {
            var users = Task.WhenAll(Enumerable.Range(0, 40).Select(number => fixture.CreateUserAsync($"user-{round}-{number}")));
            await fixture.Postgres.StopAsync(immediate: true);
            await users;
            await fixture.Postgres.StartAgainAsync(TestContext.Current.CancellationToken);
        }

        await Eventually.TrueAsync(async () => await AccountsOrNoneAsync(fixture) == 120, "every user has an account");
        await Eventually.TrueAsync(async () => await fixture.HintsAsync() == 0, "no hint is left");
    }

    [Fact]
    public async Task A_bridge_that_starts_before_PostgreSQL_answers_503_and_begins_by_itself()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await fixture.Postgres.StopAsync(immediate: true);
        await using var bridge = BridgeProcess.Launch(fixture.BridgeUrl, fixture.Settings);
        await Eventually.TrueAsync(async () => await bridge.StatusAsync("health/live") is not null, "the bridge listens");
        Assert.Equal(System.Net.HttpStatusCode.ServiceUnavailable, await bridge.StatusAsync("health/ready"));
        await fixture.CreateUserAsync("ana");
        await fixture.Postgres.StartAgainAsync(TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => await AccountsOrNoneAsync(fixture) == 1, "the account is opened");
        Assert.DoesNotContain("   at ", bridge.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bridge_asked_to_stop_under_load_ends_and_leaves_nothing_undone()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await using var stopped = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.Settings);
        var users = Task.WhenAll(Enumerable.Range(0, 60).Select(number => fixture.CreateUserAsync($"user-{number}")));
        Assert.True(await stopped.TerminateAsync(), $"It did not stop:\n{stopped.Log}");
        await users;
        await using var next = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.Settings);
        await Eventually.TrueAsync(async () => await fixture.AccountsAsync() == 60, "every user has an account");
    }

    private static async Task SetStandbyAsync(FaultFixture fixture, string name)
    {
        await fixture.Database.ExecuteAsync($"alter system set synchronous_standby_names = '{name}'");
        await fixture.Database.ExecuteAsync("select pg_reload_conf()");
    }

    // The server takes a setting over some time after the command.
    private static Task CommitsWaitAsync(FaultFixture fixture)
    {
        const string Commit = "select pg_logical_emit_message(true, 'tests', '')";
        var commit = Task.CompletedTask;
        return Eventually.TrueAsync(
            () =>
            {
                if (commit.IsCompleted)
                    commit = fixture.Database.ExecuteAsync(Commit);
                return fixture.Database.WaitsAsync(Commit, "IPC");
            },
            "commits wait for the standby");
    }

    private static async Task<int> AccountsOrNoneAsync(FaultFixture fixture)
    {
        try
        {
            return await fixture.AccountsAsync();
        }
        catch (Npgsql.NpgsqlException)
        {
            return 0;
        }
    }
}
