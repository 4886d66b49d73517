using System.Security.Cryptography;
using KeycloakCreditBridge.Keycloak;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.IdentityModel.JsonWebTokens;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Tokens;

public sealed class ClientProofTests : IDisposable
{
    private const string Discovery = "/.well-known/openid-configuration";

    private readonly string _file = Path.GetTempFileName();

    [Fact]
    public async Task A_token_is_asked_for_with_a_signed_statement_for_the_name_of_the_realm_and_without_a_secret()
    {
        WriteKey();
        await using var fixture = await StartAsync();

        await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);

        var form = QueryHelpers.ParseQuery(fixture.Server.Requests.Single(request => request.Method == "POST").Body);
        Assert.Equal(["grant_type", "client_id", "client_assertion_type", "client_assertion"], form.Keys);
        Assert.Equal("urn:ietf:params:oauth:client-assertion-type:jwt-bearer", form["client_assertion_type"]);
        var statement = new JsonWebToken(form["client_assertion"].ToString());
        Assert.Equal(
            ("credit-bridge", "credit-bridge", "https://public.example.com/realms/shop"),
            (statement.Issuer, statement.Subject, statement.Audiences.Single()));
    }

    [Fact]
    public async Task A_replaced_key_file_signs_the_next_statement()
    {
        WriteKey();
        await using var fixture = await StartAsync();
        await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);
        WriteKey();
        fixture.Clock.Advance(TimeSpan.FromMinutes(5));
        await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);

        var keys = fixture.Server.Requests.Where(request => request.Method == "POST")
            .Select(request => new JsonWebToken(QueryHelpers.ParseQuery(request.Body)["client_assertion"].ToString()).Kid).ToList();
        Assert.Equal(2, keys.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public async Task A_key_file_that_becomes_unusable_is_named_and_read_again()
    {
        WriteKey();
        await using var fixture = await StartAsync();
        await File.WriteAllTextAsync(_file, "", ClientFixture.Cancellation);

        var refused = await fixture.FailAsync<KeycloakAuthenticationException>(
            fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));
        WriteKey();
        fixture.Clock.Advance(TimeSpan.FromSeconds(6));

        Assert.Contains($"Keycloak:PrivateKeyFile, {_file}, holds no private key in PEM", refused.Message, StringComparison.Ordinal);
        Assert.Equal(7, await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));
    }

    [Fact]
    public async Task Another_key_than_the_refused_one_is_tried_at_once()
    {
        WriteKey();
        await using var fixture = await StartAsync();
        fixture.Server.On(
            "/protocol/openid-connect/token",
            Says(401, """{"error":"invalid_client","error_description":"Unable to load public key"}"""), fixture.Server.IssueTokenAsync);
        await fixture.FailAsync<KeycloakAuthenticationException>(fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));
        await fixture.FailAsync<KeycloakAuthenticationException>(fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));
        Assert.Single(fixture.Server.Requests, request => request.Method == "POST");

        WriteKey();
        Assert.Equal(7, await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));
    }

    [Theory]
    [InlineData("access_denied", "Realm not enabled", "is disabled in Keycloak: enable it")]
    [InlineData("invalid_request", "HTTPS required", "requires https, and Keycloak:Url is http")]
    [InlineData("invalid_client", "Parameter client_assertion_type is missing", "Keycloak:ClientAuthentication to PrivateKeyJwt")]
    [InlineData("invalid_request", "Client Certification missing for MTLS HoK Token Binding", "a TLS certificate")]
    [InlineData("invalid_request", "DPoP proof is missing", "has to pass the header")]
    [InlineData("invalid_request", "DPoP proof is not active", "compare the clocks")]
    [InlineData("unauthorized_client", "Invalid client or Invalid client credentials", "compare Keycloak:ClientSecret")]
    public async Task A_refusal_is_told_with_its_own_cure(string error, string description, string cure)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(
            "/protocol/openid-connect/token", Says(403, $$"""{"error":"{{error}}","error_description":"{{description}}"}"""));

        var refused = await fixture.FailAsync<KeycloakAuthenticationException>(
            fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));

        Assert.Contains(cure, refused.Message, StringComparison.Ordinal);
        Assert.Equal(
            cure == "compare Keycloak:ClientSecret",
            refused.Message.Contains("compare Keycloak:ClientSecret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_realm_that_demands_possession_gets_a_proof_for_each_request_from_then_on()
    {
        await using var fixture = await ClientFixture.StartAsync();
        List<string> proofs = [];
        fixture.Server.On("/protocol/openid-connect/token", context =>
        {
            proofs.Add(context.Request.Headers["DPoP"].ToString());
            return proofs[^1].Length > 0
                ? fixture.Server.IssueTokenAsync(context)
                : Says(400, """{"error":"invalid_request","error_description":"DPoP proof is missing"}""")(context);
        });
        fixture.Server.On("/users/count", Says(200, "7"));

        await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);
        fixture.Clock.Advance(TimeSpan.FromMinutes(5));
        await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);

        Assert.Equal([false, true, true], proofs.Select(proof => proof.Length > 0));
        var proof = new JsonWebToken(proofs[1]);
        Assert.Equal(
            ("dpop+jwt", "POST", $"{fixture.Server.Url}/realms/shop/protocol/openid-connect/token"),
            (proof.Typ, proof.GetClaim("htm").Value, proof.GetClaim("htu").Value));
        Assert.Equal(2, proofs.Skip(1).Distinct(StringComparer.Ordinal).Count());
        // A token that is not bound goes as any bearer's.
        Assert.All(
            fixture.Server.Requests.Where(request => request.Method == "GET"),
            request => Assert.StartsWith("Bearer token-", request.Authorization, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Keys_that_a_realm_gives_over_https_alone_are_no_sign_of_load()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(Discovery, Says(403, """{"error":"invalid_request","error_description":"HTTPS required"}"""));

        var refused = await fixture.FailAsync<KeycloakUnavailableException>(
            fixture.Keys.GetAsync("shop", "some-key", "issuer", ClientFixture.Cancellation));

        Assert.Contains("requires https", refused.Message, StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_file);

    private async Task<ClientFixture> StartAsync()
    {
        var fixture = await ClientFixture.StartAsync(
            ("Keycloak:ClientAuthentication", "PrivateKeyJwt"), ("Keycloak:PrivateKeyFile", _file));
        fixture.Server.On(Discovery, Says(200, """{"issuer":"https://public.example.com/realms/shop"}"""));
        fixture.Server.On("/users/count", Says(200, "7"));
        return fixture;
    }

    private void WriteKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(_file, key.ExportECPrivateKeyPem());
    }
}
