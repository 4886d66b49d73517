using System.Text.Json;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Adoption;

/// <summary>
/// Before adoption no account is provisioned; afterwards the bridge and the installation's own writers work side by side.
/// </summary>
[StartsPrograms]
public sealed class AdoptionGateTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Until_accounts_are_adopted_the_service_waits_and_reconcile_is_refused_with_the_remedy()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("ana", "ana@example.com");
        await fixture.Database.OpenAsync("ana@example.com", 4m, used: 1m);
        await using var bridge = await fixture.NewBridge().StartAsync();

        await Eventually.TrueAsync(
            async () => (await ReadyAsync(bridge)).Contains("adopt --plan", StringComparison.Ordinal), "the service says why it holds");
        var (code, _, error) = await CommandProcess.RunAsync(fixture.Settings, "reconcile");

        Assert.Equal(2, code);
        Assert.Contains("adopt --plan", error, StringComparison.Ordinal);
        Assert.Equal(["ana@example.com 4.00"], await fixture.AccountsAsync());
        await fixture.ApplyAsync();
        await Eventually.TrueAsync(
            async () => !(await ReadyAsync(bridge)).Contains("adopt --plan", StringComparison.Ordinal), "the service goes on");
        Assert.Equal(0, (await CommandProcess.RunAsync(fixture.Settings, "reconcile")).ExitCode);
        Assert.Equal(["ana 4.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Until_accounts_are_adopted_the_gate_opens_no_second_account()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("ana", "ana@example.com");
        await fixture.Database.OpenAsync("ana@example.com", 4m, used: 1m);
        await fixture.Database.MigrateAsync();
        await using var bridge = await fixture.NewBridge(
            ("Metering:ApiKeys:0", MeteringFixture.Key), ("Metering:Gate:Undecided", "Refuse")).StartAsync();
        await Eventually.TrueAsync(
            async () => (await ReadyAsync(bridge)).Contains("adopt --plan", StringComparison.Ordinal), "the service says why it holds");

        Assert.Contains("Your credits cannot be checked right now", await AskAsync(), StringComparison.Ordinal);
        Assert.Equal(["ana@example.com 4.00"], await fixture.AccountsAsync());
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
        await fixture.ApplyAsync();
        await Eventually.TrueAsync(async () => (await AskAsync()).Contains("NONE", StringComparison.Ordinal), "the gate decides again");
        Assert.Equal(["ana 4.00 of ana"], await fixture.AccountsAsync());

        async Task<string> AskAsync()
        {
            using var http = new HttpClient();
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(bridge.Url, "beta/litellm_basic_guardrail_api"));
            request.Headers.Add("x-api-key", MeteringFixture.Key);
            request.Content = new StringContent("""{"request_data":{"user_api_key_user_id":"ana"}}""");
            using var answer = await http.SendAsync(request, Token);
            return await answer.Content.ReadAsStringAsync(Token);
        }
    }

    [Fact]
    public async Task A_plan_with_nothing_to_do_lets_the_service_run()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("ana", "ana@example.com");
        await fixture.Database.OpenAsync("ana", 5m);
        var mark = new AdoptionMarkStore(fixture.Database.DataSource, TimeProvider.System);
        await fixture.PlanAsync();
        Assert.True(await mark.IsDueAsync(Token));
        await fixture.ApplyAsync();
        await fixture.Database.ExecuteAsync("update adoption set adopted_at = null");

        Assert.Equal(0, (await fixture.PlanAsync()).Totals.Due);

        Assert.False(await mark.IsDueAsync(Token));
    }

    [Fact]
    public async Task The_installations_own_statements_go_on_beside_the_bridge_and_what_they_open_is_adopted_next_time()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("ana", "ana@example.com");
        fixture.AddUser("ben", "ben@example.com");
        await fixture.Database.OpenAsync("ana@example.com", 5m);
        await fixture.ApplyAsync();
        await using var bridge = await fixture.NewBridge().StartAsync();
        await Eventually.TrueAsync(async () => (await bridge.GetAsync("health/ready")).IsSuccessStatusCode, "the service is ready");

        await fixture.Database.ExecuteAsync(ExistingInstallation.FirstCall, new { Id = "ben@example.com" });
        await fixture.Database.ExecuteAsync(ExistingInstallation.FirstCall, new { Id = "ana" });
        await fixture.Database.ExecuteAsync(ExistingInstallation.Charge, new { Id = "ana" });
        foreach (var statement in ExistingInstallation.Troubleshooting)
            await fixture.Database.QueryAsync<object>(statement);

        Assert.Equal(["ana 4.50 of ana", "ben@example.com 5.00"], await fixture.AccountsAsync());
        Assert.Equal(1, (await fixture.PlanAsync()).Totals.Due);
        await fixture.ApplyAsync();
        Assert.Equal(["ana 4.50 of ana", "ben 5.00 of ben"], await fixture.AccountsAsync());
        await fixture.AssertBooksAsync();
    }

    [Fact]
    public async Task Charges_and_events_that_come_while_accounts_are_adopted_lose_nothing()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        string[] ids = [.. Enumerable.Range(0, 30).Select(number => $"p{number:D2}")];
        foreach (var id in ids)
        {
            fixture.AddUser(id, $"{id}@example.com");
            await fixture.Database.OpenAsync(id, 5m, openings: 3);
        }

        await fixture.Database.MigrateAsync();
        await using var bridge = fixture.NewBridge();
        var writers = Enumerable.Range(0, 3).Select(async first =>
        {
            for (var number = 0; number < 60; number++)
                await fixture.Database.ExecuteAsync(ExistingInstallation.Charge, new { Id = ids[(first + (number * 7)) % ids.Length] });
        });
        await Task.WhenAll(
            [
                .. writers, fixture.ApplyAsync(),
                ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers with { ReEvaluate = true }, null, Token),
            ]);

        Assert.Equal(
            (30 * 5m) - (180 * 0.5m), await fixture.Database.ScalarAsync<decimal>("select sum(credits_remaining) from user_credits"));
        await fixture.ApplyAsync();
        await fixture.AssertBooksAsync();
        Assert.Equal(0, (await fixture.PlanAsync()).Totals.Due);
    }

    [Fact]
    public async Task The_command_tells_by_its_exit_code_what_there_is_to_do()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("ana", "ana@example.com");
        await fixture.Database.OpenAsync("ana@example.com", 5m, openings: 10);
        var settings = fixture.Settings;

        var unmigrated = await CommandProcess.RunAsync(settings, "adopt", "--plan");
        await fixture.Database.MigrateAsync();
        var neither = await CommandProcess.RunAsync(settings, "adopt");
        var plan = await CommandProcess.RunAsync(settings, "adopt", "--plan", "--json");
        var apply = await CommandProcess.RunAsync(settings, "adopt", "--apply");
        var after = await CommandProcess.RunAsync(settings, "adopt", "--plan");
        settings["Keycloak:Url"] = $"http://127.0.0.1:{FreePort.Next()}/";
        var unreachable = await CommandProcess.RunAsync(settings, "adopt", "--plan");

        Assert.Equal((2, 2, 1, 0, 0, 3), (
            unmigrated.ExitCode, neither.ExitCode, plan.ExitCode, apply.ExitCode, after.ExitCode, unreachable.ExitCode));
        using var report = JsonDocument.Parse(plan.Output);
        Assert.Equal(1, report.RootElement.GetProperty("totals").GetProperty("due").GetInt32());
        Assert.Contains("When this database was migrated: Dropped constraint valid_tier", after.Output, StringComparison.Ordinal);
        Assert.EndsWith("Nothing to do.\n", after.Output, StringComparison.Ordinal);
        Assert.Contains("Done: 1 adopted.", apply.Output, StringComparison.Ordinal);
    }

    private static async Task<string> ReadyAsync(BridgeFixture bridge)
    {
        using var answer = await bridge.GetAsync("health/ready");
        return await answer.Content.ReadAsStringAsync(Token);
    }
}
