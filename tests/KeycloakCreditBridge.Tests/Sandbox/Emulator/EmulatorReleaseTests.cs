using System.Buffers.Text;
using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using static KeycloakCreditBridge.Tests.Sandbox.Emulator.EmulatorFixture;

namespace KeycloakCreditBridge.Tests.Sandbox.Emulator;

/// <summary>What 26.8 changed by its release notes and upgrading guide; no server of it was measured.</summary>
public sealed class EmulatorReleaseTests
{
    private const string Clients = "admin/realms/viewed/clients";

    [Theory]
    [InlineData(nameof(ServerModel.V26_7), "s3cret")]
    [InlineData(nameof(ServerModel.V26_8), EmulatedClient.Mask)]
    public async Task A_caller_that_may_only_view_clients_sees_their_secrets_until_26_8(string model, string shown)
    {
        await using var emulator = await StartAsync(Enum.Parse<ServerModel>(model));
        await emulator.ImportAsync("viewed", new JsonObject
        {
            ["clients"] = new JsonArray(Client("viewer"), Client("manager"), Client("shop")),
            ["users"] = new JsonArray(ServiceAccount("viewer", "view-clients"), ServiceAccount("manager", "manage-clients")),
        });

        Assert.Equal(shown, await SecretAsync("viewer"));
        Assert.Equal("s3cret", await SecretAsync("manager"));

        async Task<string?> SecretAsync(string caller)
        {
            var token = await emulator.PostFormAsync("realms/viewed/protocol/openid-connect/token", Credentials(caller, "s3cret"));
            return Text((await emulator.ListAsync($"{Clients}?clientId=shop", Text(token.Json, "access_token")!))[0], "secret");
        }
    }

    [Fact]
    public async Task A_mask_that_is_written_back_keeps_the_secret()
    {
        await using var emulator = await StartAsync(ServerModel.V26_8);
        await emulator.ImportAsync("viewed", new JsonObject { ["clients"] = new JsonArray(Client("shop")) });
        var admin = await emulator.AdminTokenAsync();
        var client = (await emulator.ListAsync($"{Clients}?clientId=shop", admin))[0]!;
        client["secret"] = EmulatedClient.Mask;

        Assert.Equal(HttpStatusCode.NoContent, await emulator.StatusAsync("PUT", $"{Clients}/{Text(client, "id")}", admin, client));

        Assert.Equal("s3cret", Text((await emulator.ListAsync($"{Clients}?clientId=shop", admin))[0], "secret"));
    }

    [Theory]
    [InlineData(nameof(ServerModel.V26_7), true)]
    [InlineData(nameof(ServerModel.V26_8), false)]
    public async Task Linking_and_mailed_actions_verify_the_address_until_26_8(string model, bool verifies)
    {
        await using var emulator = await StartAsync(Enum.Parse<ServerModel>(model));
        var (linked, asked) = (await CreateAsync("linked"), await CreateAsync("asked"));
        await emulator.Server.Realm(Realm).LinkByEmailAsync(linked, "corp");
        await emulator.Server.Realm(Realm).CompleteMailedActionsAsync(asked);

        var listed = await emulator.ListAsync(Users, await emulator.BridgeTokenAsync());
        Assert.Equal([verifies, verifies], listed.Select(user => (bool)user!["emailVerified"]!));

        Task<string> CreateAsync(string name) =>
            emulator.CreateAsync(name, new JsonObject { ["enabled"] = true, ["email"] = $"{name}@example.com" });
    }

    [Theory]
    [InlineData(nameof(ServerModel.V26_7), null)]
    [InlineData(nameof(ServerModel.V26_8), "admin")]
    public async Task Tokens_and_events_of_an_impersonated_session_name_the_impersonator_from_26_8(string model, string? impersonator)
    {
        await using var emulator = await StartAsync(Enum.Parse<ServerModel>(model));
        var id = await emulator.CreateAsync("ada");
        var token = await emulator.Server.Realm(Realm).ImpersonateAsync(id);

        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]))!;
        Assert.Equal((id, impersonator), (Text(claims, "sub"), Text(claims, "act", "preferred_username")));
        var events = await emulator.ListAsync($"{Events}?direction=asc&user={id}", await emulator.BridgeTokenAsync());
        Assert.Equal(["IMPERSONATE", "CODE_TO_TOKEN"], Types(events));
        Assert.Equal(("admin", impersonator), (Text(events[0], "details", "impersonator"), Text(events[1], "details", "impersonator")));
        Assert.Equal(Text(claims, "act", "sub"), Text(events[1], "details", "impersonator_id"));
    }
}
