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
        await using var emulator = await StartAsync();
        var (admin, ada) = (
            await emulator.AdminTokenAsync(), await emulator.CreateAsync("ada", new JsonObject { ["email"] = "ada@example.com" }));
        var customers = await MakeAsync(emulator, admin, Groups, "customers");
        var gold = await MakeAsync(emulator, admin, $"{Groups}/{customers}/children", "gold");
        Assert.Equal(HttpStatusCode.NoContent, await emulator.StatusAsync("PUT", $"{Users}/{ada}/groups/{gold}", admin));

        var shown = $$"""{"id":"{{gold}}","name":"gold","path":"/customers/gold","parentId":"{{customers}}","subGroups":[]}""";
        var page = $"{Users}/{ada}/groups?briefRepresentation=true&first=0&max=1000";
        Assert.Equal($"[{shown}]", (await emulator.SendAsync("GET", page, await emulator.BridgeTokenAsync())).Body);
        Assert.Equal(HttpStatusCode.NoContent, await emulator.StatusAsync("DELETE", $"{Users}/{ada}/groups/{gold}", admin));
        Assert.Empty(await emulator.ListAsync($"{Users}/{ada}/groups", admin));
        Assert.Equal("""{"error":"User not found"}""", (await emulator.SendAsync("GET", $"{Users}/unknown/groups", admin)).Body);

        var events = await emulator.ListAsync($"{AdminEvents}?direction=asc&resourceTypes=GROUP_MEMBERSHIP", admin);
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
        await using var emulator = await StartAsync();
        var (admin, ada) = (await emulator.AdminTokenAsync(), await emulator.CreateAsync("ada"));
        foreach (var name in new[] { "own", "outer", "inner", "granted", "none" })
            await emulator.SendAsync("POST", Roles, admin, new JsonObject { ["name"] = name });
        var customers = await MakeAsync(emulator, admin, Groups, "customers");
        var gold = await MakeAsync(emulator, admin, $"{Groups}/{customers}/children", "gold");
        await emulator.SendAsync("PUT", $"{Users}/{ada}/groups/{gold}", admin);
        await GiveAsync(emulator, admin, $"{Roles}/outer/composites", "inner");
        await GiveAsync(emulator, admin, $"{Groups}/{customers}/role-mappings/realm", "granted");
        await GiveAsync(emulator, admin, $"{Users}/{ada}/role-mappings/realm", "own");
        await GiveAsync(emulator, admin, $"{Users}/{ada}/role-mappings/realm", "outer");

        var roles = await emulator.ListAsync($"{Users}/{ada}/role-mappings/realm/composite", await emulator.BridgeTokenAsync());
        Assert.Equal(["granted", "inner", "outer", "own"], roles.Select(role => Text(role, "name")).Order(StringComparer.Ordinal));
        var events = await emulator.ListAsync($"{AdminEvents}?direction=asc&resourceTypes=REALM_ROLE_MAPPING", admin);
        Assert.Equal(
            [$"groups/{customers}/role-mappings/realm", $"users/{ada}/role-mappings/realm", $"users/{ada}/role-mappings/realm"],
            events.Select(stored => Text(stored, "resourcePath")));
    }

    [Fact]
    public async Task Attributes_that_the_profile_does_not_have_are_dropped_and_those_not_named_are_kept()
    {
        await using var emulator = await StartAsync();
        var (admin, profile) = (await emulator.AdminTokenAsync(), $"{Users}/profile");
        var ada = await emulator.CreateAsync("ada", Attributes());
        Assert.Null((await emulator.SendAsync("GET", $"{Users}/{ada}", admin)).Json["attributes"]?["plan"]);
        var declared = (await emulator.SendAsync("GET", profile, await emulator.BridgeTokenAsync())).Json;
        declared["attributes"]!.AsArray().Add(new JsonObject { ["name"] = "plan" });
        Assert.Equal(HttpStatusCode.Forbidden, await emulator.StatusAsync("PUT", profile, await emulator.BridgeTokenAsync(), declared));
        Assert.Equal(HttpStatusCode.OK, await emulator.StatusAsync("PUT", profile, admin, declared));
        await emulator.SendAsync("PUT", $"{Users}/{ada}", admin, Attributes());
        await emulator.SendAsync("PUT", $"{Users}/{ada}", admin, new JsonObject { ["enabled"] = true });
        Assert.Equal(
            """{"plan":["gold"]}""", (await emulator.SendAsync("GET", $"{Users}/{ada}", admin)).Json["attributes"]!.ToJsonString());

        static JsonObject Attributes() =>
            new() { ["attributes"] = new JsonObject { ["plan"] = new JsonArray("gold"), ["other"] = new JsonArray("x") } };
    }

    private static async Task<string> MakeAsync(EmulatorFixture emulator, string admin, string address, string name) =>
        (await emulator.SendAsync("POST", address, admin, new JsonObject { ["name"] = name })).Location!.Segments[^1];

    private static async Task GiveAsync(EmulatorFixture emulator, string admin, string address, string role) =>
        Assert.Equal(
            HttpStatusCode.NoContent,
            await emulator.StatusAsync(
                "POST", address, admin, new JsonArray((await emulator.SendAsync("GET", $"{Roles}/{role}", admin)).Json)));
}
