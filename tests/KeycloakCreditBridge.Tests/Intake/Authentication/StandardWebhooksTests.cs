using System.Net;
using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Intake.Authentication;

public sealed class StandardWebhooksTests(PostgresFixture postgres)
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string Id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    private const string Signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    private const string Other = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    private const long Time = 1614265330;

    private static readonly byte[] Body = Encoding.UTF8.GetBytes("""{"test": 2432232314}""");

    [Theory]
    [InlineData(Secret)]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    public void The_specification_s_vector_is_valid_with_and_without_prefix(string secret)
    {
        Assert.Equal(AuthenticationOutcome.Valid, Check(secrets: secret));
        Assert.Equal(AuthenticationOutcome.Valid, Check(secrets: ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", secret]));
    }

    [Theory]
    [InlineData(Signature, AuthenticationOutcome.Valid)]
    [InlineData(Other + " " + Signature, AuthenticationOutcome.Valid)]
    [InlineData("v1a,abc v2,x " + Signature + " v1,short", AuthenticationOutcome.Valid)]
    [InlineData(Other, AuthenticationOutcome.Wrong)]
    [InlineData("v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", AuthenticationOutcome.Wrong)]
    [InlineData("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", AuthenticationOutcome.Malformed)]
    [InlineData("V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", AuthenticationOutcome.Malformed)]
    [InlineData("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", AuthenticationOutcome.Malformed)]
    [InlineData("v1,g0hM9SsE", AuthenticationOutcome.Malformed)]
    [InlineData("v1,", AuthenticationOutcome.Malformed)]
    [InlineData(" ", AuthenticationOutcome.Malformed)]
    [InlineData("", AuthenticationOutcome.Empty)]
    [InlineData(null, AuthenticationOutcome.Missing)]
    public void One_right_signature_of_version_1_is_enough_and_needed(string? signature, object verdict) =>
        Assert.Equal(verdict, Check(signature: signature));

    [Theory]
    [InlineData(0, AuthenticationOutcome.Valid)]
    [InlineData(300, AuthenticationOutcome.Valid)]
    [InlineData(-300, AuthenticationOutcome.Valid)]
    [InlineData(301, AuthenticationOutcome.Expired)]
    [InlineData(-301, AuthenticationOutcome.Expired)]
    public void A_signature_is_valid_for_five_minutes_both_ways(int late, object verdict) => Assert.Equal(verdict, Check(late: late));

    [Theory]
    [InlineData(null, "1614265330", AuthenticationOutcome.Missing)]
    [InlineData("", "1614265330", AuthenticationOutcome.Empty)]
    [InlineData("msg_other", "1614265330", AuthenticationOutcome.Wrong)]
    [InlineData("msg.p5j", "1614265330", AuthenticationOutcome.Malformed)]
    [InlineData(Id, null, AuthenticationOutcome.Missing)]
    [InlineData(Id, "", AuthenticationOutcome.Empty)]
    [InlineData(Id, "1614265331", AuthenticationOutcome.Wrong)]
    [InlineData(Id, "01614265330", AuthenticationOutcome.Wrong)]
    [InlineData(Id, "-1614265330", AuthenticationOutcome.Malformed)]
    [InlineData(Id, "1614265330.0", AuthenticationOutcome.Malformed)]
    [InlineData(Id, "9223372036854775807", AuthenticationOutcome.Expired)]
    [InlineData(Id, "9223372036854775808", AuthenticationOutcome.Malformed)]
    [InlineData(Id, "now", AuthenticationOutcome.Malformed)]
    public void Id_and_timestamp_are_signed_too(string? id, string? timestamp, object verdict) =>
        Assert.Equal(verdict, Check(id, timestamp));

    [Fact]
    public void Another_secret_a_changed_body_and_a_doubled_header_are_refused()
    {
        Assert.Equal(AuthenticationOutcome.Wrong, Check(secrets: ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]));
        var headers = Headers(Id, $"{Time}", Signature);
        Assert.Equal(AuthenticationOutcome.Wrong, Check(headers, [.. Body, (byte)' '], 0, Secret));
        headers["webhook-id"] = new([Id, Id]);
        Assert.Equal(AuthenticationOutcome.Doubled, Check(headers, Body, 0, Secret));
    }

    [Theory]
    [InlineData("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA==")]
    [InlineData("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA")]
    [InlineData("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGB==")]
    [InlineData("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGP")]
    public void A_secret_without_padding_or_with_bits_behind_its_end_is_the_same_key(string secret) =>
        Assert.Equal([.. Enumerable.Range(0, 25).Select(number => (byte)number)], StandardWebhooksSignature.KeyOf(secret) ?? []);

    [Theory]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true)]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", false)]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa===", false)]
    [InlineData("whsec_", false)]
    [InlineData("whsec_c2hvcnQ=", false)]
    [InlineData("not base64 at all, but long enough", false)]
    public void A_secret_is_base64_of_24_to_64_bytes(string secret, bool fine) =>
        Assert.Equal(
            fine ? [] : ["Keycloak:Realms:0:WebhookSecrets:0 is not base64 of 24 to 64 bytes, which StandardWebhooks asks for: "
                + "give it as the gateway shows it, with or without whsec_."],
            new WebhookSettingsValidator().Validate(null, new()
            {
                Realms = [new() { WebhookAuthentication = WebhookAuthentication.StandardWebhooks, WebhookSecrets = [secret] }],
            }).Failures ?? []);

    [Fact]
    public async Task A_gateway_s_delivery_is_taken_in_time_and_refused_late_or_signed_otherwise()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(
            database.ConnectionString,
            ("Keycloak:Realms:0:WebhookAuthentication", "StandardWebhooks"), ("Keycloak:Realms:0:WebhookSecrets:0", Secret));
        await host.SchemaReadyAsync();
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1"));
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(body, change: request => Sign(request, body, now))).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.DeliverAsync(body)).Status);
        var (status, answer, _) = await host.DeliverAsync(body, change: request => Sign(request, body, now - 1000));
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Contains("5 minutes", answer, StringComparison.Ordinal);
    }

    private static void Sign(HttpRequestMessage request, byte[] body, long time)
    {
        var key = Convert.FromBase64String(Secret["whsec_".Length..]);
        var signature = HMACSHA256.HashData(key, (byte[])[.. Encoding.UTF8.GetBytes($"{Id}.{time}."), .. body]);
        request.Headers.Clear();
        request.Headers.Add("webhook-id", Id);
        request.Headers.Add("webhook-timestamp", $"{time}");
        request.Headers.Add("webhook-signature", $"v1,{Convert.ToBase64String(signature)}");
    }

    private static AuthenticationOutcome Check(
        string? id = Id, string? timestamp = "1614265330", string? signature = Signature, int late = 0, params string[] secrets) =>
        Check(Headers(id, timestamp, signature), Body, late, secrets.Length == 0 ? [Secret] : secrets);

    private static AuthenticationOutcome Check(IHeaderDictionary headers, byte[] body, int late, params string[] secrets) =>
        DeliveryAuthentication.Check(
        headers, body, WebhookAuthentication.StandardWebhooks, secrets, DateTimeOffset.FromUnixTimeSeconds(Time + late));

    private static HeaderDictionary Headers(string? id, string? timestamp, string? signature)
    {
        var headers = new HeaderDictionary();
        foreach (var (name, value) in (
            (string, string?)[])[("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)])
            if (value is not null)
                headers[name] = value;
        return headers;
    }
}
