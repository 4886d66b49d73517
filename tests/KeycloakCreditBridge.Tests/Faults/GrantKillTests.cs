using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Grants;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>
/// The real executable is killed at each statement of a void and of a period's end. Nothing is done, and the repetition does it once.
/// </summary>
[StartsPrograms]
public sealed partial class GrantKillTests(PostgresFixture postgres)
{
    private const string SumsSql =
        """
        select count(*)::int from user_credits c where c.credits_remaining <> (
            select sum(t.amount) from credit_transactions t where t.user_id = c.user_id)
        """;

    private static Uri Keycloak { get; } = new("http://127.0.0.1:9/");

    [Theory]
    [InlineData("locked")]
    [InlineData("checkpoints")]
    [InlineData("stamps")]
    [InlineData("rows")]
    [InlineData("void_before")]
    [InlineData("void")]
    public async Task A_killed_void_has_taken_nothing_and_is_done_once_by_the_next(string step)
    {
        await using var fixture = await StartAsync();
        var before = await fixture.LedgerAsync("ana");
        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, Keycloak);
        string[] order = ["grants", "void", "ana", "promo", "--reason", "test"];
        KillPoint.Plant(settings, step);
        Assert.Equal(KillPointTests.Killed, (await CommandProcess.RunAsync(settings, order)).ExitCode);
        Assert.Equal(before, await fixture.LedgerAsync("ana"));

        settings = BridgeFixture.Settings(fixture.Database.ConnectionString, Keycloak);
        Assert.Equal(0, (await CommandProcess.RunAsync(settings, order)).ExitCode);
        Assert.Equal(1, (await CommandProcess.RunAsync(settings, order)).ExitCode);
        Assert.Equal("trial 5, promo 4, usage -6, void:promo -3", await fixture.LedgerAsync("ana"));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>(SumsSql));
    }

    [Theory]
    [InlineData("period_locks")]
    [InlineData("period_lots")]
    [InlineData("checkpoints")]
    [InlineData("stamps")]
    [InlineData("rows")]
    [InlineData("period")]
    public async Task A_killed_end_of_a_period_has_changed_nothing_and_the_next_run_renews_once(string step)
    {
        await using var fixture = await StartAsync();
        await fixture.Database.ExecuteAsync(
            "update user_credits set created_at = now() - interval '40 days', last_reset = now() - interval '1 minute'");
        var before = await fixture.LedgerAsync("ana");
        var settings = Renewing();
        KillPoint.Plant(settings, step);
        await using (var killed = BridgeProcess.Launch(FaultFixture.NewUrl(), settings))
            await Eventually.TrueAsync(() => Task.FromResult(killed.HasExited), $"the run reaches the step: {killed.Log}");
        Assert.Equal(before, await fixture.LedgerAsync("ana"));

        await using (var next = BridgeProcess.Launch(FaultFixture.NewUrl(), Renewing()))
        {
            await Eventually.TrueAsync(
                async () => await fixture.LedgerAsync("ana") != before, $"the next run renews the account: {next.Log}");
        }

        Assert.Equal(
            "trial 5, promo 4, usage -6, forfeit:DAY -3, reset:DAY 5", Day().Replace(await fixture.LedgerAsync("ana"), "DAY"));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>(SumsSql));

        Dictionary<string, string> Renewing() => new(
            BridgeFixture.Settings(fixture.Database.ConnectionString, Keycloak).Select(
                setting => KeyValuePair.Create(setting.Key, setting.Value ?? "")), StringComparer.Ordinal)
        {
            ["Reconciliation:Enabled"] = "true", ["Periods:Enabled"] = "true", ["Periods:Cron"] = "* * * * * ?",
        };
    }

    [GeneratedRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}")]
    private static partial Regex Day();

    private async Task<GrantFixture> StartAsync()
    {
        var fixture = new GrantFixture(await postgres.CreateDatabaseAsync(), DateTimeOffset.UtcNow);
        await fixture.OpenAsync("ana");
        await fixture.GiveAsync("ana", "trial", 5m, days: 30);
        await fixture.GiveAsync("ana", "promo", 4m, days: 60);
        await fixture.SpendAsync("ana", 6m);
        return fixture;
    }
}
