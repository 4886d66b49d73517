using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Requests;

public sealed class DeliveryRouteTests(PostgresFixture postgres)
{
    private const string Path = "api/v1/admin/deliveries";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_administrator_lists_pages_shows_and_replays_deliveries_of_the_own_realm_alone()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        RecordedDelivery[] rows =
        [
            Row(0, CreditsFixture.Realm, user, "not_stored"), Row(1, CreditsFixture.Other, "x", "not_stored"),
            Row(2, CreditsFixture.Realm, null, "refused"), Row(3, CreditsFixture.Realm, user, "stored"),
        ];
        await new DeliveryStore(fixture.Database.DataSource).AddAsync(rows, Token);
        var admin = fixture.TokenOf("boss", CreditsFixture.Admin);

        var first = await fixture.GetAsync($"{Path}?limit=2", admin);
        var rest = await fixture.GetAsync($"{Path}?limit=2&cursor={rows[2].Id}", admin);
        var failed = await fixture.GetAsync($"{Path}?outcome=failed&since=2026-01-01&user_id={user}", admin);
        Assert.Equal([rows[3].Id, rows[2].Id], Ids(first));
        Assert.Equal([rows[0].Id], Ids(rest));
        Assert.Equal([rows[0].Id], Ids(failed));

        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync($"{Path}/{rows[1].Id}", admin)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync($"{Path}/{rows[1].Id}/replay", admin, [])).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await fixture.PostAsync($"{Path}/{rows[2].Id}/replay", admin, [])).Status);
        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync($"{Path}/{rows[0].Id}/replay", admin, [])).Status);
        Assert.Equal(
            1, await fixture.Database.ScalarAsync<long>("select count(*) from audit_logs where action = 'credit.delivery_replayed'"));
        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.GetAsync(Path, fixture.TokenOf("ana"))).Status);
        foreach (var wrong in (string[])["limit=0", "limit=501", "outcome=lost", "since=monday", "cursor=7"])
            Assert.Equal(HttpStatusCode.BadRequest, (await fixture.GetAsync($"{Path}?{wrong}", admin)).Status);
    }

    [Fact]
    public async Task All_failed_are_replayed_as_a_run_of_the_number_that_was_counted()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Reconciliation:Enabled", "true"));
        var user = await fixture.AddUserAsync();
        await new DeliveryStore(fixture.Database.DataSource).AddAsync(
            [Row(0, CreditsFixture.Realm, user, "not_stored"), Row(1, CreditsFixture.Realm, user, "not_stored")], Token);
        var admin = fixture.TokenOf("boss", CreditsFixture.Admin);

        var counted = await fixture.GetAsync($"{Path}/failed?since=2026-01-01", admin);
        var wrong = await fixture.PostAsync(
            $"{Path}/failed/replay", admin, new JsonObject { ["since"] = "2026-01-01T00:00:00Z", ["users"] = 5 });
        var missing = await fixture.PostAsync($"{Path}/failed/replay", admin, new JsonObject { ["users"] = 1 });
        var started = await fixture.PostAsync(
            $"{Path}/failed/replay", admin, new JsonObject { ["since"] = "2026-01-01T00:00:00Z", ["users"] = 1 });

        Assert.Equal(1, JsonDocument.Parse($"{counted.Body}").RootElement.GetProperty("users").GetInt64());
        Assert.Equal(
            (HttpStatusCode.Conflict, HttpStatusCode.BadRequest, HttpStatusCode.Accepted), (wrong.Status, missing.Status, started.Status));
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                "select exists (select from reconcile_runs where user_ids is not null and status = 'done')"),
            "the run is done");
    }

    private static RecordedDelivery Row(int number, string realm, string? user, string outcome)
    {
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow().AddMilliseconds(number));
        return new RecordedDelivery(id, RecordedDelivery.TimeOf(id), realm, "webhook", outcome) { KeycloakId = user, Event = "REGISTER" };
    }

    private static Guid[] Ids(ApiReply answer) =>
        [.. JsonDocument.Parse($"{answer.Body}").RootElement.EnumerateArray().Select(row => row.GetProperty("id").GetGuid())];
}
