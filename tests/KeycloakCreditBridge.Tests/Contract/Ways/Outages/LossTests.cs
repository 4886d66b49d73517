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
        await using var scene = await StartAsync(kind);
        var lost = await scene.CreateUserAsync("lost");
        await scene.Admin.DeleteEventsAsync(scene.Realm, Token);
        await scene.LaunchBridgeAsync();
        await AssertFoundAsync(scene, lost, RunTriggers.Asked);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_created_while_events_were_not_stored_is_found_by_the_reconciliation_that_the_bridge_requests(KeycloakKind kind)
    {
        await using var scene = await StartAsync(kind);
        var nothing = new JsonObject { ["eventsEnabled"] = false, ["adminEventsEnabled"] = false };
        await scene.Admin.UpdateRealmAsync(scene.Realm, nothing, Token);
        var lost = await scene.RegisterAsync("lost");
        await scene.LaunchBridgeAsync();
        await AssertFoundAsync(scene, lost, RunTriggers.Asked);
        Assert.True(scene.Bridge.Log.Says("does not store user-events"));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_without_any_event_is_found_by_the_scheduled_reconciliation(KeycloakKind kind)
    {
        await using var scene = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        await scene.StartBridgeAsync(("Reconciliation:Cron", "0/2 * * * * ?"));
        await AssertFoundAsync(scene, await scene.RegisterAsync("lost"), RunTriggers.Schedule);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_a_partial_import_overwrites_is_opened_anew_and_the_old_account_is_closed_by_a_requested_run(
        KeycloakKind kind)
    {
        await using var scene = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await scene.StartBridgeAsync();
        var before = await scene.CreateKnownAsync("twice");
        await scene.Admin.PartialImportAsync(scene.Realm, [ContractFixture.Named("twice")], Token, ifResourceExists: "OVERWRITE");
        var after = await scene.IdOfAsync("twice");
        Assert.NotEqual(before, after);
        await scene.Database.AssertOpenedAsync(after, HintSources.Poll, HintSources.Reconciliation);
        await scene.Database.WaitForStatusAsync(before, "closed");
        Assert.True(scene.Bridge.Log.Says("a partial import overwrote users"));
    }

    [Theory, EveryKeycloak]
    public async Task Overwritten_users_above_the_closing_share_are_closed_by_the_requested_run(KeycloakKind kind)
    {
        await using var scene = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await scene.StartBridgeAsync();
        string[] names = [.. Enumerable.Range(0, 12).Select(number => $"again-{number}")];
        var before = await scene.ImportUsersAsync(null, names);
        foreach (var id in before)
            await scene.Database.AssertOpenedAsync(id, HintSources.Poll, HintSources.Reconciliation);

        await scene.Admin.PartialImportAsync(scene.Realm, names.Select(ContractFixture.Named), Token, ifResourceExists: "OVERWRITE");

        foreach (var id in before)
            await scene.Database.WaitForStatusAsync(id, "closed");
        foreach (var id in await Task.WhenAll(names.Select(scene.IdOfAsync)))
            await scene.Database.AssertOpenedAsync(id, HintSources.Poll, HintSources.Reconciliation);
    }

    // Polled until a user was found, and then stopped: the bridge resumes at this place of the events.
    private async Task<ContractFixture> StartAsync(KeycloakKind kind)
    {
        var scene = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await scene.StartBridgeAsync();
        await scene.Database.AssertOpenedAsync(await scene.CreateUserAsync("known"), HintSources.Poll);
        await scene.StopBridgeAsync();
        return scene;
    }

    private static async Task AssertFoundAsync(ContractFixture scene, string id, string trigger)
    {
        await scene.Database.AssertOpenedAsync(id, HintSources.Reconciliation);
        await Eventually.TrueAsync(
            () => scene.Database.ScalarAsync<bool>(RunSql, new { Trigger = trigger }), "the run is written down");
    }
}
