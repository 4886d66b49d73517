using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KeycloakCreditBridge.Tests.Keycloak.Tokens;

public sealed class RealmTokensTests(KeycloakFixture servers)
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

        foreach (var realm in realms)
            await Eventually.TrueAsync(() => AcceptsAsync(tokens, realm, token), "the realm publishes its keys");

        var own = await tokens.VerifyAsync(realms[0], token, "realm-management", Cancellation);
        Assert.Equal("service-account-credit-bridge", own.Token?.GetPayloadValue<string>("preferred_username"));
        Assert.Null((await tokens.VerifyAsync(realms[1], token, "realm-management", Cancellation)).Token);
        Assert.Null((await tokens.VerifyAsync(realms[0], token, "https://bridge.example.com", Cancellation)).Token);
        Assert.Null((await tokens.VerifyAsync(realms[0], token[..^8] + "AAAAAAAA", "realm-management", Cancellation)).Token);
    }

    [Fact]
    public async Task Nothing_that_a_realm_publishes_can_sign_a_token_of_it()
    {
        await using var fixture = await ClientFixture.StartAsync();
        using var key = RSA.Create(2048);
        var (numbers, symmetric) = (key.ExportParameters(includePrivateParameters: false), RandomNumberGenerator.GetBytes(64));
        var tokens = Publish(
            fixture, KeyOf("rsa", key),
            new JsonObject { ["kid"] = "oct", ["kty"] = "oct", ["use"] = "sig", ["k"] = Base64Url.EncodeToString(symmetric) });

        foreach (var padding in (RSASignaturePadding[])[RSASignaturePadding.Pkcs1, RSASignaturePadding.Pss])
        {
            var algorithm = padding == RSASignaturePadding.Pss ? "PS256" : "RS256";
            Assert.NotNull((await VerifyAsync(
                fixture, tokens, "rsa", algorithm, text => key.SignData(text, HashAlgorithmName.SHA256, padding))).Token);
        }

        byte[][] secrets =
        [
            symmetric, numbers.Modulus!, key.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(key.ExportSubjectPublicKeyInfoPem()),
            Encoding.ASCII.GetBytes(key.ExportSubjectPublicKeyInfoPem() + "\n"),
            Encoding.ASCII.GetBytes(Base64Url.EncodeToString(numbers.Modulus)),
        ];
        foreach (var secret in secrets)
            foreach (var keyId in (string[])["rsa", "oct"])
                Assert.Null((await VerifyAsync(fixture, tokens, keyId, "HS256", text => HMACSHA256.HashData(secret, text))).Token);
    }

    [Theory]
    [InlineData("alg", "PS512", "PS512", true)]
    [InlineData("alg", "PS512", "RS512", false)]
    [InlineData("alg", "RS256", "PS256", false)]
    [InlineData("alg", "RSA-OAEP", "RS256", false)]
    [InlineData("use", null, "RS256", true)]
    [InlineData("use", "enc", "RS256", false)]
    [InlineData("key_ops", "verify", "RS256", true)]
    [InlineData("key_ops", "wrapKey", "RS256", false)]
    public async Task A_key_verifies_what_its_members_let_it_verify(string member, string? value, string algorithm, bool isAccepted)
    {
        await using var fixture = await ClientFixture.StartAsync();
        using var key = RSA.Create(2048);
        var published = KeyOf("rsa", key);
        published[member] = member == "key_ops" ? new JsonArray(value) : value;
        if (member != "alg")
            published.Remove("use");
        if (member == "use")
            published["use"] = value;
        var tokens = Publish(fixture, published);
        var padding = algorithm[0] == 'P' ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1;

        var verified = await VerifyAsync(
            fixture, tokens, "rsa", algorithm, text => key.SignData(text, new HashAlgorithmName($"SHA{algorithm[2..]}"), padding));

        Assert.Equal(isAccepted, verified.Token is not null);
    }

    [Fact]
    public async Task A_token_that_names_an_impersonator_is_the_users()
    {
        var server = (EmulatedKeycloak)await servers.GetAsync(KeycloakKind.Emulator26_8);
        using var admin = KeycloakAdmin.Of(server);
        var realm = $"t{Guid.NewGuid():N}";
        await admin.ImportRealmAsync(realm, DemoRealm.Json("s3cret", webhooks: false), Cancellation);
        using var host = Host(server.Url, [realm, $"{realm}2"]);
        var token = server.Realm(realm).Sign(new JsonObject
        {
            ["iss"] = $"{server.Url}realms/{realm}", ["aud"] = "credit-bridge",
            ["exp"] = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds(),
            ["sub"] = "the-user", ["act"] = new JsonObject { ["sub"] = "the-administrator" },
        });

        var verified = await host.Services.GetRequiredService<RealmTokens>().VerifyAsync(realm, token, "credit-bridge", Cancellation);

        Assert.Equal("the-user", verified.Token?.Subject);
    }

    // A busy server may not do so in the time that a caller has.
    private static async Task<bool> AcceptsAsync(RealmTokens tokens, string realm, string token)
    {
        try
        {
            await tokens.VerifyAsync(realm, token, "realm-management", Cancellation);
            return true;
        }
        catch (KeycloakUnavailableException)
        {
            return false;
        }
    }

    private static JsonObject KeyOf(string id, RSA key)
    {
        var numbers = key.ExportParameters(includePrivateParameters: false);
        return new JsonObject
        {
            ["kid"] = id, ["kty"] = "RSA", ["use"] = "sig", ["n"] = Base64Url.EncodeToString(numbers.Modulus),
            ["e"] = Base64Url.EncodeToString(numbers.Exponent),
        };
    }

    private static RealmTokens Publish(ClientFixture fixture, params JsonNode[] keys)
    {
        fixture.Server.On(
            "/.well-known/openid-configuration", ScriptedKeycloak.Says(200, """{"issuer":"https://sso.example.com/realms/shop"}"""));
        fixture.Server.On(
            "/protocol/openid-connect/certs",
            ScriptedKeycloak.Says(200, new JsonObject { ["keys"] = new JsonArray(keys) }.ToJsonString()));
        return new RealmTokens(fixture.Keys, fixture.Clock);
    }

    private static Task<TokenVerification> VerifyAsync(
        ClientFixture fixture, RealmTokens tokens, string keyId, string algorithm, Func<byte[], byte[]> sign)
    {
        var (header, claims) = (new JsonObject { ["alg"] = algorithm, ["typ"] = "JWT", ["kid"] = keyId }, new JsonObject
        {
            ["iss"] = "https://sso.example.com/realms/shop", ["aud"] = "credit-bridge",
            ["exp"] = fixture.Clock.GetUtcNow().AddMinutes(5).ToUnixTimeSeconds(),
        });
        var text = $"{Encode(header)}.{Encode(claims)}";
        return tokens.VerifyAsync(
            "shop", $"{text}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(text)))}", "credit-bridge", Cancellation);
    }

    private static string Encode(JsonObject part) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part.ToJsonString()));

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
