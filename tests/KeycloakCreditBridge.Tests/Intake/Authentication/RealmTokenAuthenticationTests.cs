using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Authentication;

public sealed class RealmTokenAuthenticationTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Audience = "https://bridge.example.com";

    private static readonly byte[] Body = Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1"));

    private EmulatedKeycloak _keycloak = null!;
    private KeycloakAdmin _admin = null!;
    private TestDatabase _database = null!;
    private IntakeFixture _host = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), Token);
        _admin = KeycloakAdmin.Of(_keycloak);
        foreach (var realm in (string[])["demo", "other"])
            await _admin.ImportRealmAsync(realm, DemoRealm.Json("s3cret", webhooks: true), Token);
        _database = await postgres.CreateDatabaseAsync();
        _host = await IntakeFixture.StartAsync(
            _database.ConnectionString,
            ("Keycloak:Url", _keycloak.Url.ToString()),
            ("Keycloak:PublicUrl", "https://sso.example.com/auth"),
            ("Keycloak:Realms:0:WebhookSecrets:0", null),
            ("Keycloak:Realms:0:WebhookAuthentication", "RealmToken"),
            ("Keycloak:Realms:0:WebhookAudience", Audience));
        await _host.SchemaReadyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _database.DisposeAsync();
        _admin.Dispose();
        await _keycloak.DisposeAsync();
    }

    [Fact]
    public async Task A_token_that_the_realm_signed_for_the_body_authenticates_the_sender()
    {
        Assert.Equal(HttpStatusCode.NoContent, (await DeliverAsync(Signed(Claims()))).Status);
        Assert.Equal(["u1"], await _database.QueryAsync<string>("select keycloak_id from user_hints"));
    }

    [Fact]
    public async Task The_public_address_of_Keycloak_is_an_issuer_too()
    {
        var claims = Claims();
        claims["iss"] = "https://sso.example.com/auth/realms/demo";
        Assert.Equal(HttpStatusCode.NoContent, (await DeliverAsync(Signed(claims))).Status);
    }

    [Theory]
    [InlineData("request_body_sha256", "0000000000000000000000000000000000000000000000000000000000000000", "it was not made for this body")]
    [InlineData("request_body_sha256", "", "it was not made for this body")]
    [InlineData("request_body_sha256", null, "it was not made for this body")]
    [InlineData("aud", "account", "its audience is another one")]
    [InlineData("aud", null, "its audience is another one")]
    [InlineData("iss", "https://evil.example.com/realms/demo", "its issuer is not realm 'demo'")]
    [InlineData("iss", null, "its issuer is not realm 'demo'")]
    [InlineData("exp", null, "it has expired or is not valid yet")]
    public async Task A_token_with_a_wrong_claim_is_refused(string claim, string? value, string problem)
    {
        var claims = Claims();
        if (value is null)
            claims.Remove(claim);
        else
            claims[claim] = value;
        await RefusedAsync(Signed(claims), problem);
    }

    [Fact]
    public async Task A_token_whose_header_has_critical_extensions_is_refused() => await RefusedAsync(
        $"Bearer {_keycloak.Realm("demo").Sign(Claims().ToJsonString(), ",\"crit\":[\"b64\"],\"b64\":true")}",
        "critical extensions (`crit`)");

    [Theory]
    [InlineData("request_body_sha256")]
    [InlineData("jti")]
    public async Task A_token_with_half_a_surrogate_pair_is_no_error_of_the_bridge(string claim)
    {
        var claims = Claims();
        claims[claim] = "HALF";
        var token = _keycloak.Realm("demo").Sign(claims.ToJsonString().Replace("HALF", @"\ud800", StringComparison.Ordinal));
        Assert.Contains(
            (await DeliverAsync($"Bearer {token}")).Status, (HttpStatusCode[])[HttpStatusCode.Unauthorized, HttpStatusCode.NoContent]);
    }

    [Fact]
    public async Task An_expired_token_is_refused()
    {
        var claims = Claims();
        claims["exp"] = DateTimeOffset.UtcNow.AddSeconds(-31).ToUnixTimeSeconds();
        await RefusedAsync(Signed(claims), "it has expired or is not valid yet");
    }

    [Fact]
    public async Task A_token_of_another_realm_is_refused() =>
        await RefusedAsync($"Bearer {_keycloak.Realm("other").Sign(Claims())}", "it was not signed with a key of realm 'demo'");

    [Fact]
    public async Task A_token_that_names_a_weaker_algorithm_is_refused()
    {
        var parts = _keycloak.Realm("demo").Sign(Claims()).Split('.');
        var keyId = JsonNode.Parse(Base64Url.DecodeFromChars(parts[0]))!["kid"]!.GetValue<string>();
        using var http = new HttpClient();
        var published = await http.GetStringAsync(new Uri(_keycloak.Url, "realms/demo/protocol/openid-connect/certs"), Token);
        var publicKey = Encoding.UTF8.GetBytes(JsonNode.Parse(published)!["keys"]![0]!["x"]!.GetValue<string>());

        foreach (var algorithm in (string[])["none", "HS256", "ES256"])
        {
            var header = Encode(new JsonObject { ["alg"] = algorithm, ["typ"] = "JWT", ["kid"] = keyId }.ToJsonString());
            var signature = Base64Url.EncodeToString(HMACSHA256.HashData(publicKey, Encoding.ASCII.GetBytes($"{header}.{parts[1]}")));
            await RefusedAsync($"Bearer {header}.{parts[1]}.{signature}", "The bearer token is refused");
            await RefusedAsync($"Bearer {header}.{parts[1]}.", "The bearer token is refused");
        }
    }

    [Theory]
    [InlineData(null, "is missing")]
    [InlineData("", "is empty")]
    [InlineData("Basic dXNlcjpwYXNzd29yZA==", "is not a token in the Bearer scheme")]
    [InlineData("Bearer", "is not a token in the Bearer scheme")]
    [InlineData("Bearer a.b", "it is no signed JSON Web Token")]
    [InlineData("Bearer e30.e30.e30", "The bearer token is refused")]
    public async Task A_wrong_header_is_refused(string? header, string problem) => await RefusedAsync(header, problem);

    [Fact]
    public async Task A_token_of_absurd_length_is_refused() =>
        await RefusedAsync($"Bearer {new string('a', 30_000)}", "it is no signed JSON Web Token");

    [Fact]
    public async Task An_HMAC_signature_does_not_replace_the_token()
    {
        var (status, _, _) = await _host.DeliverAsync(Body);
        Assert.Equal(HttpStatusCode.Unauthorized, status);
    }

    [Fact]
    public async Task While_the_keys_cannot_be_read_deliveries_are_sent_back()
    {
        _keycloak.Faults.Fail("*/certs", 1, 500);
        var (status, answer, retryAfter) = await DeliverAsync(Signed(Claims()));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "5"), (status, retryAfter));
        Assert.DoesNotContain(_keycloak.Url.Host, answer, StringComparison.Ordinal);
        await Eventually.TrueAsync(
            async () => (await DeliverAsync(Signed(Claims()))).Status == HttpStatusCode.NoContent, "the keys are asked for again");
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private JsonObject Claims() => new()
    {
        ["iss"] = $"{_keycloak.Url}realms/demo",
        ["aud"] = Audience,
        ["exp"] = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds(),
        ["jti"] = Guid.NewGuid().ToString(),
        ["request_body_sha256"] = Convert.ToHexStringLower(SHA256.HashData(Body)),
    };

    private string Signed(JsonObject claims) => $"Bearer {_keycloak.Realm("demo").Sign(claims)}";

    private async Task RefusedAsync(string? authorization, string problem)
    {
        var (status, answer, _) = await DeliverAsync(authorization);
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Contains(problem, JsonNode.Parse(answer)!["detail"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Empty(await _database.QueryAsync<string>("select keycloak_id from user_hints"));
    }

    private Task<(HttpStatusCode Status, string Answer, string? RetryAfter)> DeliverAsync(string? authorization) =>
        _host.DeliverAsync(Body, change: request =>
        {
            request.Headers.Remove(HmacSignature.Header);
            if (authorization is not null)
                request.Headers.TryAddWithoutValidation("Authorization", authorization);
        });
}
