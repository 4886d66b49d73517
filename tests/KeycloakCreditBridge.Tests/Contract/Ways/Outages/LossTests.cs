using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Outages;

public sealed class LossTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const string RunSql =
        "select exists (select from reconcile_runs where trigger = @Trigger and status = 'done' and provisioned = 1)";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_whose_event_was_wiped_while_the_bridge_was_down_is_found_by_the_reconciliation_that_it_requests(
        KeycloakKind kind)
    {
        await using var fixture = await StartAsync(kind);
        var lost = await fixture.CreateUserAsync("lost");
        await fixture.Admin.DeleteEventsAsync(fixture.Realm, Token);
        await fixture.LaunchBridgeAsync();
        await AssertFoundAsync(fixture, lost, RunTriggers.Asked);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_created_while_events_were_not_stored_is_found_by_the_reconciliation_that_the_bridge_requests(KeycloakKind kind)
    {
        await using var fixture = await StartAsync(kind);
        var nothing = new JsonObject { ["eventsEnabled"] = false, ["adminEventsEnabled"] = false };
        await fixture.Admin.UpdateRealmAsync(fixture.Realm, nothing, Token);
        var lost = await fixture.RegisterAsync("lost");
        await fixture.LaunchBridgeAsync();
        await AssertFoundAsync(fixture, lost, RunTriggers.Asked);
        Assert.True(fixture.Bridge.Log.Says("does not store user-events"));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_without_any_event_is_found_by_the_scheduled_reconciliation(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        await fixture.StartBridgeAsync(("Reconciliation:Cron", "0/2 * * * * ?"));
        await AssertFoundAsync(fixture, await fixture.RegisterAsync("lost"), RunTriggers.Schedule);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_a_partial_import_overwrites_is_opened_anew_and_the_old_account_is_closed_by_a_requested_run(
        KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await fixture.StartBridgeAsync();
        var before = await fixture.CreateKnownAsync("twice");
        await fixture.Admin.PartialImportAsync(fixture.Realm, [ContractFixture.Named("twice")], Token, ifResourceExists: "OVERWRITE");
        var after = await fixture.IdOfAsync("twice");
        Assert.NotEqual(before, after);
        await fixture.Database.AssertOpenedAsync(after, HintSources.Poll, HintSources.Reconciliation);
        await fixture.Database.WaitForStatusAsync(before, "closed");
        Assert.True(fixture.Bridge.Log.Says("a partial import overwrote users"));
    }

    [Theory, EveryKeycloak]
    public async Task Overwritten_users_above_the_closing_share_are_closed_by_the_requested_run(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await fixture.StartBridgeAsync();
        string[] names = [.. Enumerable.Range(0, 12).Select(number => $"again-{number}")];
        var before = await fixture.ImportUsersAsync(null, names);
        foreach (var id in before)
            await fixture.Database.AssertOpenedAsync(id, HintSources.Poll, HintSources.Reconciliation);

        await fixture.Admin.PartialImportAsync(fixture.Realm, names.Select(ContractFixture.Named), Token, ifResourceExists: "OVERWRITE");

        foreach (var id in before)
            await fixture.Database.WaitForStatusAsync(id, "closed");
        foreach (var id in await Task.WhenAll(names.Select(fixture.IdOfAsync)))
            await fixture.Database.AssertOpenedAsync(id, HintSources.Poll, HintSources.Reconciliation);
    }

    // Polled until a user was found, and then stopped: the bridge resumes at this place of the events.
    private async Task<ContractFixture> StartAsync(KeycloakKind kind)
    {
        var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await fixture.StartBridgeAsync();
        await fixture.Database.AssertOpenedAsync(await fixture.CreateUserAsync("known"), HintSources.Poll);
        await fixture.StopBridgeAsync();
        return fixture;
    }

    private static async Task AssertFoundAsync(ContractFixture fixture, string id, string trigger)
    {
        await fixture.Database.AssertOpenedAsync(id, HintSources.Reconciliation);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(RunSql, new { Trigger = trigger }), "the run is written down");
    }
}
