using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Admin;

/// <summary>Servers before 26.3 read a user who is locked out by wrong passwords as disabled, but list the user as enabled.</summary>
public sealed class LockoutTests(KeycloakFixture servers)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_who_is_locked_out_for_a_while_is_read_as_enabled(KeycloakKind kind) =>
        await CheckAsync(await servers.GetAsync(kind));

    [Fact]
    public async Task A_user_who_is_locked_out_for_a_while_is_read_as_enabled_from_the_emulator_of_26_0()
    {
        await using var server = await EmulatedKeycloak.StartAsync(new EmulatorOptions(ServerModel.V26_0, SendsWebhooks: false), Token);
        await CheckAsync(server);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""[{"id":"2","username":"other","enabled":true}]""")]
    [InlineData("""[{"id":"1","username":"ana","enabled":false}]""")]
    public async Task A_user_who_is_read_as_disabled_stays_so_unless_a_list_shows_that_user_enabled(string listed)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/1", Says(200, """{"id":"1","username":"ana","enabled":false}"""));
        fixture.Server.On("/users?briefRepresentation=true&search=id%3A1", Says(200, listed));

        Assert.False((await fixture.Client.FindUserAsync("shop", "1", Token))!.Enabled);
    }

    private static async Task CheckAsync(IKeycloakServer server)
    {
        var realm = $"lockout-{Guid.NewGuid():n}";
        using var admin = KeycloakAdmin.Of(server);
        await admin.ImportRealmAsync(realm, DemoRealm.Json("s3cret", webhooks: false), Token);
        await admin.UpdateRealmAsync(realm, Protection, Token);
        var id = await admin.CreateUserAsync(realm, ContractFixture.Named("ana"), Token);
        using var host = Host(server.Url, realm);
        var client = host.Services.GetRequiredService<KeycloakClient>();

        await WrongPasswords.SendAsync(server.Url, realm, "ana", Token);
        Assert.Equal((true, "ana"), await ReadAsync());
        await admin.UpdateUserAsync(realm, id, new JsonObject { ["enabled"] = false }, Token);
        Assert.Equal((false, "ana"), await ReadAsync());
        await admin.UpdateUserAsync(realm, id, new JsonObject { ["enabled"] = true }, Token);
        Assert.Equal((true, "ana"), await ReadAsync());

        async Task<(bool, string?)> ReadAsync()
        {
            var user = await client.FindUserAsync(realm, id, Token);
            return (user!.Enabled, user.Username);
        }
    }

    /// <summary>Two wrong passwords lock a user out for ten minutes.</summary>
    public static JsonObject Protection => new()
    {
        ["bruteForceProtected"] = true, ["permanentLockout"] = false, ["failureFactor"] = 2, ["waitIncrementSeconds"] = 600,
        ["quickLoginCheckMilliSeconds"] = 0,
    };

    private static IHost Host(Uri url, string realm)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Keycloak:Url"] = url.ToString(), ["Keycloak:ClientSecret"] = "s3cret", ["Keycloak:Realms:0:Name"] = realm,
        });
        builder.AddKeycloak();
        return builder.Build();
    }
}
