using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Requests;

/// <summary>An administrator starts, follows and cancels runs over HTTP.</summary>
public sealed class RunRequestTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Runs = "api/v1/admin/reconciliations";

    private CreditsFixture _fixture = null!;
    private string _admin = "";

    public async ValueTask InitializeAsync()
    {
        _fixture = await CreditsFixture.StartAsync(postgres, ("Reconciliation:Enabled", "true"));
        _admin = _fixture.TokenOf("boss", CreditsFixture.Admin);
    }

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task A_run_is_started_and_followed_to_its_end()
    {
        // Beside the administrator that asks for it.
        _fixture.Keycloak.Realm(CreditsFixture.Realm).AddUsers(25);

        var started = await _fixture.PostAsync(Runs, _admin, new JsonObject { ["mode"] = "list", ["re_evaluate"] = true });

        Assert.Equal(HttpStatusCode.Accepted, started.Status);
        var run = await EndedAsync((long)started.Json["id"]!);
        Assert.Equal(
            ("done", "list", "http", 26), ((string)run["status"]!, (string)run["mode"]!, (string)run["trigger"]!, (int)run["seen"]!));
        Assert.True((int)run["per_second"]! > 0 && (int)run["seconds_left"]! == 0);
        Assert.Equal(26, await _fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits where realm = 'demo'"));
        var runs = (await _fixture.GetAsync(Runs, _admin)).Json.AsArray();
        Assert.Contains(runs, found => (long)found!["id"]! == (long)run["id"]!);
    }

    [Fact]
    public async Task Only_the_named_users_are_read()
    {
        _fixture.Keycloak.Realm(CreditsFixture.Realm).AddUsers(3);
        var started = await _fixture.PostAsync(
            Runs, _admin, new JsonObject { ["user_ids"] = new JsonArray("user0000001", "unknown"), ["dry_run"] = true });
        var run = await EndedAsync((long)started.Json["id"]!);
        Assert.Equal((1, 1, true), ((int)run["seen"]!, (int)run["failed"]!, (bool)run["dry_run"]!));
    }

    [Fact]
    public async Task A_run_that_is_cancelled_ends_and_the_next_begins_anew()
    {
        await FirstRunsAreOverAsync();
        _fixture.Keycloak.Realm(CreditsFixture.Realm).AddUsers(200);
        _fixture.Keycloak.Faults.Delay("/admin/realms/demo/users", 1_000, TimeSpan.FromSeconds(1));
        var started = await _fixture.PostAsync(Runs, _admin, new JsonObject { ["mode"] = "list", ["dry_run"] = true });
        var id = (long)started.Json["id"]!;
        await Eventually.TrueAsync(
            async () => (int)(await _fixture.GetAsync($"{Runs}/{id}", _admin)).Json["seen"]! > 0, "the run is under way");

        var cancelled = await _fixture.SendAsync(HttpMethod.Delete, $"{Runs}/{id}", _admin, null, null);

        Assert.Equal(HttpStatusCode.OK, cancelled.Status);
        var run = await EndedAsync(id);
        Assert.Equal("cancelled", (string)run["status"]!);
        Assert.InRange((int)run["seen"]!, 1, 199);
        Assert.Equal(HttpStatusCode.Conflict, (await _fixture.SendAsync(HttpMethod.Delete, $"{Runs}/{id}", _admin, null, null)).Status);
        _fixture.Keycloak.Faults.Reset();
        var next = await EndedAsync(
            (long)(await _fixture.PostAsync(Runs, _admin, new JsonObject { ["mode"] = "list", ["dry_run"] = true })).Json["id"]!);
        Assert.Equal(201, (int)next["seen"]!);
    }

    [Fact]
    public async Task What_is_wrong_with_a_request_is_named()
    {
        var refused = await _fixture.PostAsync(Runs, _admin, new JsonObject
        {
            ["mode"] = "fast", ["since"] = "yesterday", ["user_ids"] = new JsonArray(), ["allow_closing"] = -1,
        });
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        foreach (var field in (string[])["mode", "since", "user_ids", "allow_closing"])
            Assert.Contains($"'{field}'", refused.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Runs_are_for_administrators_of_the_realm_alone()
    {
        Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.PostAsync(Runs, _fixture.TokenOf("ana"), [])).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.PostAsync(Runs,
            _fixture.TokenOf("robot", CreditsFixture.Service), [])).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await _fixture.PostAsync(Runs, null, [])).Status);
        var mine = (long)(await _fixture.PostAsync(Runs, _admin, new JsonObject { ["dry_run"] = true })).Json["id"]!;
        var other = _fixture.TokenOf("boss", CreditsFixture.Other, [CreditsFixture.Admin]);
        Assert.Equal(HttpStatusCode.NotFound, (await _fixture.GetAsync($"{Runs}/{mine}", other)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await _fixture.SendAsync(HttpMethod.Delete, $"{Runs}/{mine}", other, null, null)).Status);
        await EndedAsync(mine);
    }

    private Task FirstRunsAreOverAsync() => Eventually.TrueAsync(
        () => _fixture.Database.ScalarAsync<bool>("select count(*) = 2 from reconcile_runs where trigger = 'first' and status = 'done'"),
        "the first runs are over");

    private async Task<JsonNode> EndedAsync(long id)
    {
        JsonNode? run = null;
        await Eventually.TrueAsync(
            async () =>
            {
                run = (await _fixture.GetAsync($"{Runs}/{id}", _admin)).Json;
                return (string)run["status"]! is not ("waiting" or "running");
            },
            "the run ends");
        return run!;
    }
}
