using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Tokens;

public sealed class TokenTests(PostgresFixture postgres) : IAsyncLifetime
{
    private CreditsFixture _fixture = null!;

    public async ValueTask InitializeAsync() => _fixture = await CreditsFixture.StartAsync(postgres);

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task Without_a_token_the_caller_is_asked_to_sign_in()
    {
        var answer = await _fixture.GetAsync(CreditsFixture.Balance, null);
        Assert.Equal((HttpStatusCode.Unauthorized, "Bearer realm=\"credits\""), (answer.Status, answer.Challenge));
        Assert.Contains("The request has no token", answer.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("aud", "account", "its audience is another one")]
    [InlineData("aud", null, "its audience is another one")]
    [InlineData("iss", "https://evil.example.com/realms/demo", "its issuer is not realm 'demo'")]
    [InlineData("iss", "https://evil.example.com/realms/unknown", "its issuer is none of the configured realms")]
    [InlineData("iss", null, "its issuer is none of the configured realms")]
    [InlineData("exp", null, "it has expired or is not valid yet")]
    [InlineData("typ", "ID", "it is no access token")]
    [InlineData("typ", "Refresh", "it is no access token")]
    [InlineData("typ", null, "it is no access token")]
    [InlineData("sub", null, "it names no user")]
    [InlineData("sub", "", "it names no user")]
    [InlineData("sub", "a\0b", "it names no user")]
    public async Task A_token_with_a_wrong_claim_is_refused(string claim, string? value, string problem)
    {
        var claims = _fixture.Claims("u1");
        if (value is null)
            claims.Remove(claim);
        else
            claims[claim] = value;
        await RefusedAsync(_fixture.Sign(claims), problem);
    }

    [Fact]
    public async Task An_expired_token_is_refused()
    {
        var claims = _fixture.Claims("u1");
        claims["exp"] = DateTimeOffset.UtcNow.AddSeconds(-31).ToUnixTimeSeconds();
        await RefusedAsync(_fixture.Sign(claims), "it has expired");
    }

    [Theory]
    [InlineData("exp", -5, true)]
    [InlineData("exp", -35, false)]
    [InlineData("nbf", 25, true)]
    [InlineData("nbf", 90, false)]
    [InlineData("nbf", -35, true)]
    public async Task Clocks_may_differ_by_half_a_minute(string claim, int seconds, bool isGood)
    {
        var claims = _fixture.Claims("u1");
        claims[claim] = DateTimeOffset.UtcNow.AddSeconds(seconds).ToUnixTimeSeconds();
        var token = _fixture.Sign(claims);
        if (isGood)
            Assert.Equal(HttpStatusCode.OK, (await _fixture.GetAsync(CreditsFixture.Balance, token)).Status);
        else
            await RefusedAsync(token, "it has expired or is not valid yet");
    }

    [Theory]
    [InlineData("\"credit-bridge\"", true)]
    [InlineData("[\"credit-bridge\"]", true)]
    [InlineData("\"credit-bridge-2\"", false)]
    [InlineData("\"account credit-bridge\"", false)]
    [InlineData("[]", false)]
    [InlineData("\"\"", false)]
    public async Task The_audience_is_a_text_or_a_list_and_must_match_exactly(string audience, bool isGood)
    {
        var claims = _fixture.Claims("u1");
        claims["aud"] = JsonNode.Parse(audience);
        if (isGood)
            Assert.Equal(HttpStatusCode.OK, (await _fixture.GetAsync(CreditsFixture.Balance, _fixture.Sign(claims))).Status);
        else
            await RefusedAsync(_fixture.Sign(claims), "its audience is another one");
    }

    [Theory]
    [InlineData("""{"sub":"u1","realm_access":{"roles":["\ud800"]}""")]
    [InlineData("""{"sub":"u1","resource_access":{"credit-bridge":{"roles":["\udc00x"]}}""")]
    [InlineData("""{"sub":"u1","preferred_username":"\ud800" """)]
    [InlineData("""{"sub":"u1","\ud800":1""")]
    [InlineData("""{"sub":"\ud800" """)]
    [InlineData("""{"sub":"u1","jti":"\ud800" """)]
    [InlineData("""{"sub":"u1","cnf":"\ud800" """)]
    [InlineData("""{"sub":"u1","other":{"\ud800":["\ud800"]}""")]
    public async Task A_signed_token_with_half_a_surrogate_pair_is_no_error_of_the_bridge(string claims)
    {
        foreach (var own in (string[])[$"{_fixture.Keycloak.Url}realms/{CreditsFixture.Realm}", @"\ud800/demo"])
        {
            var expires = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds();
            var token = _fixture.Keycloak.Realm(CreditsFixture.Realm).Sign(
                $$"""{{claims}},"typ":"Bearer","iss":"{{own}}","aud":"credit-bridge","exp":{{expires}}}""");
            Assert.Contains((await _fixture.GetAsync(CreditsFixture.Balance, token)).Status,
                (HttpStatusCode[])[HttpStatusCode.Unauthorized, HttpStatusCode.NotFound, HttpStatusCode.OK]);
        }

        Assert.DoesNotContain(_fixture.Bridge.Log.All, line => line.Contains("unhandled", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("realm_access")]
    [InlineData("resource_access")]
    public async Task A_role_that_is_no_text_makes_the_token_worthless(string claim)
    {
        var claims = _fixture.Claims("u1");
        claims["realm_access"] = new JsonObject { ["roles"] = new JsonArray("R") };
        claims["resource_access"] = new JsonObject { ["credit-bridge"] = new JsonObject { ["roles"] = new JsonArray("R") } };
        claims[claim] = JsonNode.Parse(claims[claim]!.ToJsonString().Replace("\"R\"", "\"X\"", StringComparison.Ordinal));
        var payload = claims.ToJsonString().Replace("\"X\"", @"""\ud800""", StringComparison.Ordinal);
        await RefusedAsync(_fixture.Keycloak.Realm(CreditsFixture.Realm).Sign(payload), "it holds text that is not Unicode");
    }

    [Theory]
    [InlineData(",\"crit\":[\"b64\"],\"b64\":true")]
    [InlineData(",\"crit\":[\"exp\"]")]
    [InlineData(",\"crit\":[]")]
    [InlineData(",\"crit\":\"exp\"")]
    [InlineData(",\"crit\":null")]
    public async Task A_token_whose_header_has_critical_extensions_is_refused(string more) => await RefusedAsync(
        _fixture.Keycloak.Realm(CreditsFixture.Realm).Sign(_fixture.Claims("u1").ToJsonString(), more), "critical extensions (`crit`)");

    [Theory]
    [InlineData(@"{""alg"":""ES256"",""kid"":""\ud800""}", @"{""iss"":""x/demo""}")]
    [InlineData(@"{""alg"":""\ud800"",""kid"":""k""}", @"{""iss"":""x/demo""}")]
    [InlineData(@"{""alg"":""ES256"",""\ud800"":""k""}", @"{""iss"":""x/demo""}")]
    [InlineData(@"{""alg"":""ES256"",""kid"":""k""}", @"{""iss"":""\ud800/demo""}")]
    [InlineData(@"{""alg"":""ES256"",""kid"":""k""}", @"{""iss"":""%/%FF%d8/demo""}")]
    [InlineData(@"{""alg"":""ES256"",""kid"":""k""}", @"{""exp"":1e400,""iss"":""x/demo""}")]
    [InlineData(@"{""alg"":""ES256"",""kid"":""k""}", @"{""exp"":{},""nbf"":[],""iss"":[],""aud"":{""a"":1}}")]
    [InlineData(@"{""alg"":[],""kid"":{}}", @"{""iss"":""x/demo""}")]
    [InlineData(@"[]", @"[]")]
    [InlineData(@"{}", @"""x""")]
    public async Task An_unsigned_token_of_odd_text_is_refused_without_an_error(string header, string payload)
    {
        var parts = new[] { header, payload }.Select(part => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part)));
        var token = $"{string.Join('.', parts)}.AAAA";
        Assert.Equal(HttpStatusCode.Unauthorized, (await _fixture.GetAsync(CreditsFixture.Balance, token)).Status);
    }

    [Fact]
    public async Task A_token_bound_to_a_key_is_refused()
    {
        var claims = _fixture.Claims("u1");
        claims["cnf"] = new JsonObject { ["x5t#S256"] = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" };
        await RefusedAsync(_fixture.Sign(claims), "it is bound to a key");
    }

    [Fact]
    public async Task A_token_signed_by_another_realm_is_refused() =>
        await RefusedAsync(_fixture.Sign(_fixture.Claims("u1"), CreditsFixture.Other), "it was not signed with a key of realm 'demo'");

    [Fact]
    public async Task A_token_of_an_unknown_key_is_refused_after_one_question_to_Keycloak()
    {
        Assert.Equal(HttpStatusCode.OK, (await _fixture.GetAsync(CreditsFixture.Balance, _fixture.TokenOf("u1"))).Status);
        for (var number = 0; number < 20; number++)
            Assert.Equal(HttpStatusCode.Unauthorized,
                (await _fixture.GetAsync(CreditsFixture.Balance, WithHeader($"kid-{number}", "ES256"))).Status);
        Assert.Equal(HttpStatusCode.OK, (await _fixture.GetAsync(CreditsFixture.Balance, _fixture.TokenOf("u1"))).Status);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("HS256")]
    [InlineData("ES256")]
    public async Task A_token_made_without_the_private_key_is_refused(string algorithm)
    {
        var keyId = (string)JsonNode.Parse(Base64Url.DecodeFromChars(_fixture.TokenOf("u1").Split('.')[0]))!["kid"]!;
        var token = WithHeader(keyId, algorithm);
        Assert.Equal(HttpStatusCode.Unauthorized, (await _fixture.GetAsync(CreditsFixture.Balance, token)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await _fixture.GetAsync(CreditsFixture.Balance,
            token[..(token.LastIndexOf('.') + 1)])).Status);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("a.b.c")]
    [InlineData("e30.e30.e30")]
    [InlineData("e30..")]
    public async Task Text_that_is_no_token_is_refused(string token) =>
        Assert.Equal(HttpStatusCode.Unauthorized, (await _fixture.GetAsync(CreditsFixture.Balance, token)).Status);

    [Theory]
    [InlineData("a")]
    [InlineData("")]
    public async Task An_encrypted_token_is_refused(string rest)
    {
        var header = Base64Url.EncodeToString("""{"alg":"dir","enc":"A128CBC-HS256","typ":"JWT"}"""u8);
        await RefusedAsync($"{header}.{rest}.{rest}.{rest}.{rest}", "it is no signed JSON Web Token");
    }

    [Fact]
    public async Task A_token_of_absurd_length_is_refused()
    {
        await RefusedAsync(new string('a', 30_000), "it is no signed JSON Web Token");
        Assert.Equal(
            HttpStatusCode.RequestHeaderFieldsTooLarge, (await _fixture.GetAsync(CreditsFixture.Balance, new string('a', 100_000))).Status);
    }

    [Fact]
    public async Task While_the_keys_cannot_be_read_the_answer_is_503_with_Retry_After()
    {
        _fixture.Keycloak.Faults.Fail("*/certs", 1, 500);
        var answer = await _fixture.GetAsync(CreditsFixture.Balance, _fixture.TokenOf("u1"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(5)), (answer.Status, answer.RetryAfter));
        Assert.DoesNotContain(_fixture.Keycloak.Url.Host, answer.Detail, StringComparison.Ordinal);
        await Eventually.TrueAsync(
            async () => (await _fixture.GetAsync(CreditsFixture.Balance, _fixture.TokenOf("u1"))).Status == HttpStatusCode.OK,
                "the keys are asked for again");
    }

    private string WithHeader(string keyId, string algorithm)
    {
        var header = Encode(new JsonObject { ["alg"] = algorithm, ["typ"] = "JWT", ["kid"] = keyId });
        var payload = Encode(_fixture.Claims("u1", [CreditsFixture.Admin]));
        var signature = HMACSHA256.HashData(Encoding.ASCII.GetBytes(keyId), Encoding.ASCII.GetBytes($"{header}.{payload}"));
        return $"{header}.{payload}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Encode(JsonObject part) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part.ToJsonString()));

    private async Task RefusedAsync(string token, string problem)
    {
        var answer = await _fixture.GetAsync(CreditsFixture.Balance, token);
        Assert.Equal((HttpStatusCode.Unauthorized, "Bearer realm=\"credits\", error=\"invalid_token\""), (answer.Status, answer.Challenge));
        Assert.Contains(problem, answer.Detail, StringComparison.Ordinal);
        Assert.Equal(0, await _fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits"));
    }
}
