using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KeycloakCreditBridge.Tests.Keycloak;

public sealed class RealmTokensTests(KeycloakServers servers)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_token_of_a_realm_is_told_from_one_of_another_realm_or_audience(KeycloakKind kind)
    {
        var server = await servers.GetAsync(kind);
        using var admin = KeycloakAdmin.Of(server);
        string[] realms = [$"t{Guid.NewGuid():N}", $"t{Guid.NewGuid():N}"];
        foreach (var realm in realms)
            await admin.ImportRealmAsync(realm, DemoRealm.Json("s3cret", webhooks: false), Cancellation);
        using var host = Host(server.Url, realms);
        var tokens = host.Services.GetRequiredService<RealmTokens>();
        var token = await host.Services.GetRequiredService<TokenSource>().GetAsync(realms[0], Cancellation);

        var own = await tokens.VerifyAsync(realms[0], token, "realm-management", Cancellation);
        Assert.Equal("service-account-credit-bridge", own.Token?.GetPayloadValue<string>("preferred_username"));
        Assert.Null((await tokens.VerifyAsync(realms[1], token, "realm-management", Cancellation)).Token);
        Assert.Null((await tokens.VerifyAsync(realms[0], token, "https://bridge.example.com", Cancellation)).Token);
        Assert.Null((await tokens.VerifyAsync(realms[0], token[..^8] + "AAAAAAAA", "realm-management", Cancellation)).Token);
    }

    private static IHost Host(Uri url, string[] realms)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Keycloak:Url"] = url.ToString(),
            ["Keycloak:ClientSecret"] = "s3cret",
            ["Keycloak:Realms:0:Name"] = realms[0],
            ["Keycloak:Realms:1:Name"] = realms[1],
        });
        builder.AddKeycloak();
        return builder.Build();
    }
}
