using System.Net;
using System.Text.Json.Nodes;
using static KeycloakCreditBridge.Tests.Sandbox.Emulator.EmulatorFixture;

namespace KeycloakCreditBridge.Tests.Sandbox.Emulator.Membership;

/// <summary>Groups and roles as 26.7.3 and 26.0.8 answered and stored them.</summary>
public sealed class EmulatorMembershipTests
{
    private const string Groups = $"admin/realms/{Realm}/groups";
    private const string Roles = $"admin/realms/{Realm}/roles";

    [Fact]
    public async Task Joining_and_leaving_a_group_is_listed_and_stored_as_two_admin_events()
    {
        await using var driver = await StartAsync();
        var (admin, ada) = (await driver.AdminTokenAsync(), await driver.CreateAsync("ada", new JsonObject { ["email"] = "ada@example.com" }));
        var customers = await MakeAsync(driver, admin, Groups, "customers");
        var gold = await MakeAsync(driver, admin, $"{Groups}/{customers}/children", "gold");
        Assert.Equal(HttpStatusCode.NoContent, await driver.StatusAsync("PUT", $"{Users}/{ada}/groups/{gold}", admin));

        var shown = $$"""{"id":"{{gold}}","name":"gold","path":"/customers/gold","parentId":"{{customers}}","subGroups":[]}""";
        Assert.Equal($"[{shown}]", (await driver.SendAsync("GET", $"{Users}/{ada}/groups?briefRepresentation=true&first=0&max=1000", await driver.BridgeTokenAsync())).Body);
        Assert.Equal(HttpStatusCode.NoContent, await driver.StatusAsync("DELETE", $"{Users}/{ada}/groups/{gold}", admin));
        Assert.Empty(await driver.ListAsync($"{Users}/{ada}/groups", admin));
        Assert.Equal("""{"error":"User not found"}""", (await driver.SendAsync("GET", $"{Users}/nobody/groups", admin)).Body);

        var events = await driver.ListAsync($"{AdminEvents}?direction=asc&resourceTypes=GROUP_MEMBERSHIP", admin);
        Assert.Equal(["CREATE", "DELETE"], events.Select(stored => Text(stored, "operationType")));
        Assert.All(events, stored =>
        {
            Assert.Equal($"users/{ada}/groups/{gold}", Text(stored, "resourcePath"));
            Assert.Equal(shown[..^1] + ""","attributes":{},"realmRoles":[],"clientRoles":{}}""", Text(stored, "representation"));
            Assert.Equal(("ada", "ada@example.com"), (Text(stored, "details", "username"), Text(stored, "details", "email")));
        });
    }

    [Fact]
    public async Task Roles_come_directly_through_groups_above_and_with_other_roles()
    {
        await using var driver = await StartAsync();
        var (admin, ada) = (await driver.AdminTokenAsync(), await driver.CreateAsync("ada"));
        foreach (var name in new[] { "own", "outer", "inner", "granted", "none" })
            await driver.SendAsync("POST", Roles, admin, new JsonObject { ["name"] = name });
        var customers = await MakeAsync(driver, admin, Groups, "customers");
        var gold = await MakeAsync(driver, admin, $"{Groups}/{customers}/children", "gold");
        await driver.SendAsync("PUT", $"{Users}/{ada}/groups/{gold}", admin);
        await GiveAsync(driver, admin, $"{Roles}/outer/composites", "inner");
        await GiveAsync(driver, admin, $"{Groups}/{customers}/role-mappings/realm", "granted");
        await GiveAsync(driver, admin, $"{Users}/{ada}/role-mappings/realm", "own");
        await GiveAsync(driver, admin, $"{Users}/{ada}/role-mappings/realm", "outer");

        var roles = await driver.ListAsync($"{Users}/{ada}/role-mappings/realm/composite", await driver.BridgeTokenAsync());
        Assert.Equal(["granted", "inner", "outer", "own"], roles.Select(role => Text(role, "name")).Order(StringComparer.Ordinal));
        var events = await driver.ListAsync($"{AdminEvents}?direction=asc&resourceTypes=REALM_ROLE_MAPPING", admin);
        Assert.Equal(
            [$"groups/{customers}/role-mappings/realm", $"users/{ada}/role-mappings/realm", $"users/{ada}/role-mappings/realm"],
            events.Select(stored => Text(stored, "resourcePath")));
    }

    [Fact]
    public async Task Attributes_that_the_profile_does_not_have_are_dropped_and_those_not_named_are_kept()
    {
        await using var driver = await StartAsync();
        var (admin, profile) = (await driver.AdminTokenAsync(), $"{Users}/profile");
        var ada = await driver.CreateAsync("ada", Attributes());
        Assert.Null((await driver.SendAsync("GET", $"{Users}/{ada}", admin)).Json["attributes"]?["plan"]);
        var declared = (await driver.SendAsync("GET", profile, await driver.BridgeTokenAsync())).Json;
        declared["attributes"]!.AsArray().Add(new JsonObject { ["name"] = "plan" });
        Assert.Equal(HttpStatusCode.Forbidden, await driver.StatusAsync("PUT", profile, await driver.BridgeTokenAsync(), declared));
        Assert.Equal(HttpStatusCode.OK, await driver.StatusAsync("PUT", profile, admin, declared));
        await driver.SendAsync("PUT", $"{Users}/{ada}", admin, Attributes());
        await driver.SendAsync("PUT", $"{Users}/{ada}", admin, new JsonObject { ["enabled"] = true });
        Assert.Equal("""{"plan":["gold"]}""", (await driver.SendAsync("GET", $"{Users}/{ada}", admin)).Json["attributes"]!.ToJsonString());

        static JsonObject Attributes() => new() { ["attributes"] = new JsonObject { ["plan"] = new JsonArray("gold"), ["other"] = new JsonArray("x") } };
    }

    private static async Task<string> MakeAsync(EmulatorFixture driver, string admin, string address, string name) =>
        (await driver.SendAsync("POST", address, admin, new JsonObject { ["name"] = name })).Location!.Segments[^1];

    private static async Task GiveAsync(EmulatorFixture driver, string admin, string address, string role) =>
        Assert.Equal(
            HttpStatusCode.NoContent,
            await driver.StatusAsync("POST", address, admin, new JsonArray((await driver.SendAsync("GET", $"{Roles}/{role}", admin)).Json)));
}
