using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Production;

/// <summary>What needs a Keycloak of a special build, or a hand in its database.</summary>
public sealed class ProductionTests(ProductionKeycloakFixture keycloak, PostgresFixture postgres)
{
    private const string ScimClient = "scim";

    private const string AddUserSql =
        """
        insert into user_entity (id, email, email_constraint, email_verified, enabled, realm_id, username, created_timestamp, not_before)
        select @Id, @Id || '@example.com', @Id || '@example.com', false, true, r.id, @Id, @Now, 0 from realm r where r.name = @Realm
        """;

    private const string AddEventSql =
        """
        insert into event_entity (id, client_id, ip_address, realm_id, event_time, type, user_id)
        select gen_random_uuid()::text, 'account-console', '127.0.0.1', r.id, @Time, 'REGISTER', @Id from realm r where r.name = @Realm
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact, Trait(CoveringTest.On, CoveringTest.Keycloak26_7)]
    public async Task A_user_created_by_SCIM_has_an_account_that_SCIM_holds_and_closes()
    {
        await using var fixture = await ContractFixture.CreateAsync(await keycloak.GetAsync(), postgres);
        await fixture.Features.AddScimClientAsync(ScimClient, ContractFixture.Secret, Token);
        await fixture.Admin.SetServiceAccountRolesAsync(fixture.Realm, ScimClient, ["manage-users", "view-users"], Token);
        await fixture.StartBridgeAsync();

        var id = (string)(await ScimAsync(fixture, HttpMethod.Post, "Users", Scim("provisioned", active: true)))!["id"]!;
        await fixture.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll);
        await ScimAsync(fixture, HttpMethod.Put, $"Users/{id}", Scim("provisioned", active: false, id));
        await fixture.Database.WaitForStatusAsync(id, "held");
        await ScimAsync(fixture, HttpMethod.Delete, $"Users/{id}", null);
        await fixture.Database.WaitForStatusAsync(id, "closed");
    }

    [Fact, Trait(CoveringTest.On, CoveringTest.Keycloak26_7)]
    public async Task An_event_that_is_committed_four_minutes_after_its_time_is_found_by_the_next_sweep()
    {
        await using var fixture = await ContractFixture.CreateAsync(await keycloak.GetAsync(), postgres, EventDelivery.Polling);
        await fixture.StartBridgeAsync(("Intake:Poll:SweepInterval", "00:00:01"));
        await fixture.CreateKnownAsync("in-time");
        var id = await AddUserAsync(fixture);
        await ExecuteAsync(AddEventSql, new { Id = id, fixture.Realm,
            Time = DateTimeOffset.UtcNow.AddMinutes(-4).ToUnixTimeMilliseconds() });
        await fixture.Database.AssertOpenedAsync(id, HintSources.Poll);
    }

    [Fact, Trait(CoveringTest.On, CoveringTest.Keycloak26_7)]
    public async Task A_user_created_and_deleted_in_the_database_alone_is_opened_and_closed_by_complete_runs()
    {
        await using var fixture = await ContractFixture.CreateAsync(await keycloak.GetAsync(), postgres);
        await fixture.StartBridgeAsync(("Reconciliation:ClosingShare", "1"));
        var id = await AddUserAsync(fixture);
        await fixture.ReconcileAsync();
        await fixture.Database.AssertOpenedAsync(id, HintSources.Reconciliation);
        await ExecuteAsync("delete from user_entity where id = @Id", new { Id = id });
        // Keycloak answers from its cache, where the user still exists.
        await fixture.ReconcileAsync();
        Assert.Equal("active", (await fixture.Database.RecordOfAsync(id)).Status);
        await fixture.Features.ClearUserCacheAsync(Token);
        await fixture.ReconcileAsync();
        await fixture.Database.WaitForStatusAsync(id, "closed");
    }

    [Fact, Trait(CoveringTest.On, CoveringTest.Keycloak26_7)]
    public async Task Its_tables_are_read_by_a_role_that_may_do_nothing_else()
    {
        await using var fixture = await ContractFixture.CreateAsync(await keycloak.GetAsync(), postgres);
        await fixture.StartBridgeAsync(
            ("Keycloak:Database:ConnectionString", await keycloak.CreateReaderAsync()), ("Reconciliation:ClosingShare", "1"));
        var (id, outside) = (await AddUserAsync(fixture), await AddUserAsync(fixture));
        await ExecuteAsync("update user_entity set created_timestamp = null where id = @Id", new { Id = outside });

        await fixture.ReconcileAsync();

        await fixture.Database.AssertOpenedAsync(id, HintSources.Reconciliation);
        await fixture.Database.AssertOpenedAsync(outside, HintSources.Reconciliation);
        await ExecuteAsync("update user_entity set enabled = false where id = @Id", new { Id = id });
        await fixture.ReconcileAsync();
        await fixture.Database.WaitForStatusAsync(id, "held");
        Assert.Equal(
            ["database"], await fixture.Database.QueryAsync<string>("select distinct mode from reconcile_runs where trigger = 'command'"));
        // Nothing differs, so no user is read: the sums of both sides agree, service accounts among them.
        var written = await WrittenAsync(fixture);
        await fixture.ReconcileAsync();
        Assert.Equal(written, await WrittenAsync(fixture));
    }

    private static Task<string?> WrittenAsync(ContractFixture fixture) => fixture.Database.ScalarAsync<string>(
        "select (select sum(xmin::text::bigint) from user_credits) || ' ' || (select sum(xmin::text::bigint) from keycloak_users)");

    private static JsonObject Scim(string name, bool active, string? id = null) => new()
    {
        ["id"] = id,
        ["schemas"] = new JsonArray("urn:ietf:params:scim:schemas:core:2.0:User"),
        ["userName"] = name,
        ["active"] = active,
        ["name"] = new JsonObject { ["givenName"] = "Ada", ["familyName"] = "Lovelace" },
        ["emails"] = new JsonArray(new JsonObject { ["value"] = $"{name}@example.com", ["primary"] = true }),
    };

    private static async Task<JsonNode?> ScimAsync(ContractFixture fixture, HttpMethod method, string path, JsonObject? body)
    {
        using var http = new HttpClient();
        using var form = new FormUrlEncodedContent(EmulatorFixture.Credentials(ScimClient, ContractFixture.Secret));
        using var answer = await http.PostAsync(
            new Uri(fixture.KeycloakUrl, $"realms/{fixture.Realm}/protocol/openid-connect/token"), form, Token);
        var token = (await answer.Content.ReadFromJsonAsync<JsonNode>(Token))!["access_token"]!;
        using var request = new HttpRequestMessage(method, new Uri(fixture.KeycloakUrl, $"realms/{fixture.Realm}/scim/v2/{path}"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (string)token!);
        if (body is not null)
            request.Content = JsonContent.Create(body, new MediaTypeHeaderValue("application/scim+json"));
        using var done = await http.SendAsync(request, Token);
        var text = await done.Content.ReadAsStringAsync(Token);
        Assert.True(done.IsSuccessStatusCode, $"{method} {path} answered {(int)done.StatusCode}: {text}");
        return text.Length == 0 ? null : JsonNode.Parse(text);
    }

    private async Task<string> AddUserAsync(ContractFixture fixture)
    {
        var id = Guid.NewGuid().ToString();
        await ExecuteAsync(AddUserSql, new { Id = id, fixture.Realm, Now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
        return id;
    }

    private async Task ExecuteAsync(string sql, object parameters)
    {
        await using var connection = await keycloak.Database.OpenConnectionAsync(Token);
        Assert.Equal(1, await connection.ExecuteAsync(sql, parameters));
    }
}
