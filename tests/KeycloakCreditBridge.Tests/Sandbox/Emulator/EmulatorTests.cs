using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using static KeycloakCreditBridge.Tests.Sandbox.Emulator.EmulatorFixture;

namespace KeycloakCreditBridge.Tests.Sandbox.Emulator;

public sealed class EmulatorTests
{
    [Fact]
    public async Task A_caller_is_checked_by_token_then_realm_then_roles()
    {
        await using var emulator = await StartAsync();
        var bridge = await emulator.BridgeTokenAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, await emulator.StatusAsync("GET", Users, null));
        Assert.Equal(HttpStatusCode.Unauthorized, await emulator.StatusAsync("GET", Users, "garbage"));
        Assert.Equal("""{"error":"Realm not found."}""", (await emulator.SendAsync("GET", "admin/realms/nope/users", bridge)).Body);
        Assert.Equal(HttpStatusCode.Forbidden, await emulator.StatusAsync("GET", "admin/realms/master/users", bridge));
        Assert.Equal(HttpStatusCode.Forbidden, await emulator.StatusAsync("POST", Users, bridge, new JsonObject { ["username"] = "x" }));
        Assert.Equal("demo", (string?)(await emulator.SendAsync("GET", $"admin/realms/{Realm}", bridge)).Json["realm"]);
    }

    [Fact]
    public async Task An_expired_token_and_one_of_a_recreated_realm_are_refused()
    {
        await using var emulator = await StartAsync();
        var before = await emulator.BridgeTokenAsync();
        emulator.Server.TokenLifetime = TimeSpan.Zero;
        Assert.Equal(HttpStatusCode.Unauthorized, await emulator.StatusAsync("GET", Users, await emulator.BridgeTokenAsync()));
        emulator.Server.TokenLifetime = TimeSpan.FromMinutes(5);
        Assert.Equal(
            HttpStatusCode.NoContent, await emulator.StatusAsync("DELETE", $"admin/realms/{Realm}", await emulator.AdminTokenAsync()));
        await emulator.ImportAsync(Realm, []);
        Assert.Equal(HttpStatusCode.Unauthorized, await emulator.StatusAsync("GET", Users, before));
    }

    [Fact]
    public async Task Token_requests_are_events_and_wrong_secrets_too()
    {
        await using var emulator = await StartAsync();
        var refused = await emulator.PostFormAsync($"realms/{Realm}/protocol/openid-connect/token", Credentials("credit-bridge", "wrong"));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.Status);
        Assert.Equal("unauthorized_client", (string?)refused.Json["error"]);
        var events = await emulator.ListAsync($"{Events}?direction=asc", await emulator.BridgeTokenAsync());
        Assert.Equal(["CLIENT_LOGIN_ERROR", "CLIENT_LOGIN"], Types(events));
        Assert.Null(events[0]!["userId"]);
        Assert.NotNull(events[1]!["userId"]);
    }

    [Fact]
    public async Task With_query_users_only_the_list_is_empty_and_the_count_is_not()
    {
        await using var emulator = await StartAsync();
        var id = await emulator.CreateAsync("ada");
        var token = await emulator.BridgeTokenAsync("query-only");
        Assert.Empty(await emulator.ListAsync(Users, token));
        Assert.Equal("1", (await emulator.SendAsync("GET", $"{Users}/count", token)).Body);
        Assert.Equal(HttpStatusCode.Forbidden, await emulator.StatusAsync("GET", $"{Users}/{id}", token));
    }

    [Fact]
    public async Task Users_are_made_changed_and_deleted_and_each_is_an_admin_event()
    {
        await using var emulator = await StartAsync();
        var (admin, id) = (
            await emulator.AdminTokenAsync(), await emulator.CreateAsync("Ada", new JsonObject { ["email"] = "Ada@Example.com" }));
        var taken = await emulator.SendAsync("POST", Users, admin, new JsonObject { ["username"] = "ada" });
        Assert.Equal((HttpStatusCode.Conflict, """{"errorMessage":"User exists with same username"}"""), (taken.Status, taken.Body));
        Assert.Equal(HttpStatusCode.NoContent, await emulator.StatusAsync("PUT", $"{Users}/{id}", admin, new JsonObject()));
        var user = (await emulator.SendAsync("GET", $"{Users}/{id}", await emulator.BridgeTokenAsync())).Json;
        Assert.Equal(("ada", "ada@example.com", false), (Text(user, "username"), Text(user, "email"), (bool)user["enabled"]!));
        Assert.Equal(HttpStatusCode.NoContent, await emulator.StatusAsync("DELETE", $"{Users}/{id}", admin));
        Assert.Equal("""{"error":"User not found"}""", (await emulator.SendAsync("GET", $"{Users}/{id}", admin)).Body);
        var events = await emulator.ListAsync($"{AdminEvents}?direction=asc&resourceTypes=USER", admin);
        Assert.Equal(["CREATE", "UPDATE", "DELETE"], events.Select(stored => Text(stored, "operationType")));
        Assert.All(events, stored => Assert.Equal($"users/{id}", Text(stored, "resourcePath")));
        Assert.Equal(
            ["""{"email":"Ada@Example.com","username":"Ada"}""", "{}", $$"""{"id":"{{id}}","username":"ada"}"""],
            events.Select(stored => Text(stored, "representation")));
    }

    [Theory]
    [InlineData("search=ad", "ada")]
    [InlineData("search=*da*", "ada")]
    [InlineData("search=da", "")]
    [InlineData("search=%22service-account-evil%22", "service-account-evil")]
    [InlineData("search=%22service-account-credit-bridge%22", "")]
    [InlineData("username=da", "ada")]
    [InlineData("username=da&exact=true", "")]
    [InlineData("enabled=true", "ada,grace,service-account-credit-bridge,service-account-evil,service-account-query-only")]
    [InlineData("", "ada,grace,service-account-evil")]
    [InlineData("first=1&max=1", "grace")]
    [InlineData("max=-1", "ada,grace,service-account-evil")]
    public async Task Users_are_found_as_on_a_real_server(string query, string names)
    {
        await using var emulator = await StartAsync();
        foreach (var name in new[] { "grace", "ada", "service-account-evil" })
            await emulator.CreateAsync(name);
        Assert.Equal(names, string.Join(',', Names(await emulator.ListAsync($"{Users}?{query}", await emulator.BridgeTokenAsync()))));
    }

    [Fact]
    public async Task A_service_account_is_found_by_its_id()
    {
        await using var emulator = await StartAsync();
        var bridge = await emulator.BridgeTokenAsync();
        var id = (string?)(await emulator.ListAsync($"{Users}?username=service-account-credit-bridge&exact=true", bridge))[0]!["id"];
        Assert.Equal(["service-account-credit-bridge"], Names(await emulator.ListAsync($"{Users}?search=id:{id}", bridge)));
    }

    [Theory]
    [InlineData(nameof(ServerModel.V26_0), 200, 200, 400, false)]
    [InlineData(nameof(ServerModel.V26_2), 400, 200, 200, true)]
    [InlineData(nameof(ServerModel.V26_7), 400, 400, 200, true)]
    [InlineData(nameof(ServerModel.V26_8), 400, 400, 200, true)]
    public async Task Each_model_answers_the_capability_probes_of_its_generation(
        string model, int direction, int window, int time, bool ids)
    {
        await using var emulator = await StartAsync(Enum.Parse<ServerModel>(model));
        await emulator.CreateAsync("ada");
        var bridge = await emulator.BridgeTokenAsync();
        Assert.Equal(direction, (int)await emulator.StatusAsync("GET", $"{Events}?max=0&direction=up", bridge));
        Assert.Equal(direction, (int)await emulator.StatusAsync("GET", $"{AdminEvents}?max=0&direction=up", bridge));
        Assert.Equal(window, (int)await emulator.StatusAsync("GET", $"{Users}?max=0&createdAfter=abc", bridge));
        Assert.Equal(time, (int)await emulator.StatusAsync("GET", $"{Events}?dateFrom=1", bridge));
        Assert.Equal(HttpStatusCode.InternalServerError, await emulator.StatusAsync("GET", $"{Events}?type=NOPE", bridge));
        Assert.Equal(ids, (await emulator.ListAsync(Events, bridge))[0]!["id"] is not null);
        Assert.Equal(ids, (await emulator.ListAsync(AdminEvents, bridge))[0]!["id"] is not null);
    }

    [Fact]
    public async Task Created_windows_include_their_bounds_and_bring_service_accounts()
    {
        await using var emulator = await StartAsync();
        var (id, bridge) = (await emulator.CreateAsync("ada"), await emulator.BridgeTokenAsync());
        var created = (long)(await emulator.SendAsync("GET", $"{Users}/{id}", bridge)).Json["createdTimestamp"]!;
        Assert.Contains("ada", Names(await emulator.ListAsync($"{Users}?createdAfter={created}&createdBefore={created}", bridge)));
        Assert.DoesNotContain("ada", Names(await emulator.ListAsync($"{Users}?createdAfter={created + 1}", bridge)));
        Assert.Contains("service-account-credit-bridge", Names(await emulator.ListAsync($"{Users}?createdAfter=0", bridge)));
    }

    [Theory]
    [InlineData(nameof(ServerModel.V26_0), false)]
    [InlineData(nameof(ServerModel.V26_7), true)]
    public async Task A_partial_import_raises_realm_events_and_keeps_creation_times(string model, bool fillsIn)
    {
        await using var emulator = await StartAsync(Enum.Parse<ServerModel>(model));
        var admin = await emulator.AdminTokenAsync();
        var users = new JsonArray(
            new JsonObject { ["username"] = "old", ["createdTimestamp"] = 1500000000000 },
            new JsonObject { ["id"] = "given", ["username"] = "outside" });
        var import = await emulator.SendAsync("POST", $"admin/realms/{Realm}/partialImport", admin, new JsonObject { ["users"] = users });
        Assert.Equal(2, (int)import.Json["added"]!);
        var listed = await emulator.ListAsync($"{Users}?briefRepresentation=true", await emulator.BridgeTokenAsync());
        Assert.Equal(1500000000000, (long)listed[0]!["createdTimestamp"]!);
        Assert.Equal(("given", fillsIn), (Text(listed[1], "id"), listed[1]!["createdTimestamp"] is not null));
        var events = await emulator.ListAsync($"{AdminEvents}?resourceTypes=REALM&resourcePath=users/*", admin);
        Assert.Contains("users/given", events.Select(stored => Text(stored, "resourcePath")));
    }

    [Fact]
    public async Task Writing_the_events_configuration_is_no_patch()
    {
        await using var emulator = await StartAsync();
        var (config, admin) = ($"{Events}/config", await emulator.AdminTokenAsync());
        Assert.Equal(103, (await emulator.SendAsync("GET", config, admin)).Json["enabledEventTypes"]!.AsArray().Count);
        var unknown = new JsonObject { ["eventsListeners"] = new JsonArray("nope") };
        Assert.Equal(HttpStatusCode.BadRequest, await emulator.StatusAsync("PUT", config, admin, unknown));
        Assert.Equal(HttpStatusCode.NoContent, await emulator.StatusAsync("PUT", config, admin, new JsonObject()));
        var after = (await emulator.SendAsync("GET", config, admin)).Json;
        Assert.Equal((false, true), ((bool)after["eventsEnabled"]!, (bool)after["adminEventsEnabled"]!));
        Assert.Equal(2, after["eventsListeners"]!.AsArray().Count);
    }

    [Fact]
    public async Task An_event_of_a_long_transaction_appears_before_later_ones()
    {
        await using var emulator = await StartAsync();
        var (id, bridge, realm) = (await emulator.CreateAsync("ada"), await emulator.BridgeTokenAsync(), emulator.Server.Realm(Realm));
        await realm.LoginAsync(id);
        await realm.RaiseAsync("UPDATE_EMAIL", id, at: DateTimeOffset.UtcNow.AddMinutes(-4));
        var late = await emulator.ListAsync($"{Events}?direction=asc", bridge);
        Assert.Equal(["UPDATE_EMAIL", "CLIENT_LOGIN", "LOGIN"], Types(late));
        Assert.Equal(["LOGIN", "CLIENT_LOGIN"], Types(await emulator.ListAsync($"{Events}?max=2", bridge)));
        Assert.Contains("LOGIN", Types(await emulator.ListAsync($"{Events}?dateFrom={late[2]!["time"]}", bridge)));
        Assert.Equal(["UPDATE_EMAIL"], Types(await emulator.ListAsync($"{Events}?dateTo={late[0]!["time"]}", bridge)));
        realm.WipeEvents();
        Assert.Empty(await emulator.ListAsync(Events, bridge));
    }

    [Fact]
    public async Task Users_without_any_event_are_listed_and_readable()
    {
        await using var emulator = await StartAsync();
        var (realm, bridge) = (emulator.Server.Realm(Realm), await emulator.BridgeTokenAsync());
        realm.AddUser(new EmulatedUser("f:ldap:zoe", "zoe"));
        realm.AddUser(new EmulatedUser("not-a-uuid", "zora"));
        realm.ChangeUser("not-a-uuid", user => user with { Email = "zora@example.com" });
        Assert.Equal(["zora", "zoe"], Names(await emulator.ListAsync(Users, bridge)));
        Assert.Equal("1", (await emulator.SendAsync("GET", $"{Users}/count", bridge)).Body);
        Assert.Equal(HttpStatusCode.OK, await emulator.StatusAsync("GET", $"{Users}/f:ldap:zoe", bridge));
        await realm.DeleteAccountAsync("not-a-uuid");
        Assert.StartsWith("lightweight-", await realm.LoginLightweightAsync(), StringComparison.Ordinal);
        Assert.Equal(["LOGIN", "DELETE_ACCOUNT", "CLIENT_LOGIN"], Types(await emulator.ListAsync(Events, bridge)));
    }
}
