using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Proofs;
using KeycloakCreditBridge.Keycloak;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Tests.Intake.Proofs;

public sealed class DeliveryProofTests
{
    private const string Signature = "24d06b6fece44aba3383aab6c25d74f068e2205b74a9ed0dc7cadf6526f5c1c4";
    private const string Zeros = "0000000000000000000000000000000000000000000000000000000000000000";

    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;
    private static readonly byte[] Body = Encoding.UTF8.GetBytes("""{"id":"11111111-1111-1111-1111-111111111111","type":"access.REGISTER"}""");

    public static TheoryData<string> Names => Plugins.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_recorded_delivery_proves_itself(string name)
    {
        var plugin = Plugins.Named(name);
        Assert.All(
            Deliveries.RecordedIn(plugin.File),
            sent => Assert.Equal(
                SignatureVerdict.Valid,
                DeliveryProof.Check(Plugins.HeadersOf(sent.Headers), sent.Body, plugin.Authentication, plugin.Secrets, Now)));
    }

    [Fact]
    public void Either_secret_proves_what_was_signed_with_both_during_a_rotation()
    {
        var rotating = Deliveries.RecordedIn(Plugins.Named("webhook-provider").File).Skip(7);
        foreach (var (body, headers) in rotating)
            foreach (var secret in (string[])[Deliveries.Secret, Plugins.RotatedSecret])
                Assert.Equal(
                    SignatureVerdict.Valid,
                    DeliveryProof.Check(Plugins.HeadersOf(headers), body, WebhookAuthentication.Hmac, [secret], Now));
    }

    [Theory]
    [InlineData(Signature, SignatureVerdict.Valid)]
    [InlineData("sha256=" + Signature, SignatureVerdict.Valid)]
    [InlineData("sha256=" + Zeros + ",sha256=" + Signature, SignatureVerdict.Valid)]
    [InlineData("sha256=" + Zeros + ", sha256=" + Zeros, SignatureVerdict.Wrong)]
    [InlineData("sha256=", SignatureVerdict.Malformed)]
    [InlineData("sha1=" + Signature, SignatureVerdict.Malformed)]
    [InlineData("sha512=" + Signature, SignatureVerdict.Malformed)]
    [InlineData("SHA256=" + Signature, SignatureVerdict.Malformed)]
    [InlineData("sha256=" + Signature + ",", SignatureVerdict.Malformed)]
    [InlineData("sha256=" + Signature + ", " + Signature, SignatureVerdict.Malformed)]
    [InlineData(Signature + ", sha256=" + Signature, SignatureVerdict.Malformed)]
    [InlineData("sha256=" + Signature + ", sha256=abc", SignatureVerdict.Malformed)]
    [InlineData("sha256=a,sha256=b,sha256=c,sha256=d,sha256=" + Signature, SignatureVerdict.Malformed)]
    public void A_signature_may_have_a_prefix_and_only_then_company(string header, object verdict) =>
        Assert.Equal(verdict, Check(WebhookAuthentication.Hmac, "X-Keycloak-Signature", header, "qlfwemke"));

    [Fact]
    public void SHA_1_counts_only_where_it_is_configured_and_then_nothing_else_does()
    {
#pragma warning disable CA5350 // The plugin offers this algorithm, and what is tested is that it is asked for by configuration only.
        var sha1 = Convert.ToHexStringLower(HMACSHA1.HashData("qlfwemke"u8, Body));
#pragma warning restore CA5350
        Assert.Equal(SignatureVerdict.Valid, Check(WebhookAuthentication.HmacSha1, "X-Keycloak-Signature", sha1, "qlfwemke"));
        Assert.Equal(SignatureVerdict.Valid, Check(WebhookAuthentication.HmacSha1, "X-Keycloak-Signature", "sha256=" + sha1, "qlfwemke"));
        Assert.Equal(SignatureVerdict.Wrong, Check(WebhookAuthentication.HmacSha1, "X-Keycloak-Signature", sha1, "another"));
        Assert.Equal(SignatureVerdict.Malformed, Check(WebhookAuthentication.HmacSha1, "X-Keycloak-Signature", Signature, "qlfwemke"));
        Assert.Equal(SignatureVerdict.Malformed, Check(WebhookAuthentication.Hmac, "X-Keycloak-Signature", sha1, "qlfwemke"));
    }

    [Theory]
    [InlineData("Basic YnJpZGdlOnMzY3JldA==", SignatureVerdict.Valid)]
    [InlineData("basic YnJpZGdlOnMzY3JldA==", SignatureVerdict.Valid)]
    [InlineData("Basic YnJpZGdlOnMzY3JldDI=", SignatureVerdict.Wrong)]
    [InlineData("Basic YnJpZGdlOnMzY3Jl", SignatureVerdict.Wrong)]
    [InlineData("Basic ", SignatureVerdict.Wrong)]
    [InlineData("Basic", SignatureVerdict.Malformed)]
    [InlineData("Basic bridge:s3cret", SignatureVerdict.Malformed)]
    [InlineData("Bearer YnJpZGdlOnMzY3JldA==", SignatureVerdict.Malformed)]
    [InlineData("bridge:s3cret", SignatureVerdict.Malformed)]
    [InlineData("", SignatureVerdict.Empty)]
    public void Basic_asks_for_user_and_password(string header, object verdict) =>
        Assert.Equal(verdict, Check(WebhookAuthentication.Basic, "Authorization", header, "bridge:s3cret"));

    [Theory]
    [InlineData("s3cret-header", SignatureVerdict.Valid)]
    [InlineData("the-next", SignatureVerdict.Valid)]
    [InlineData("S3cret-header", SignatureVerdict.Wrong)]
    [InlineData("s3cret-heade", SignatureVerdict.Wrong)]
    [InlineData("s3cret-header,the-next", SignatureVerdict.Wrong)]
    [InlineData("", SignatureVerdict.Empty)]
    public void A_shared_header_asks_for_the_secret(string header, object verdict) =>
        Assert.Equal(verdict, Check(WebhookAuthentication.SharedHeader, "X-Webhook-Secret", header, "s3cret-header", "the-next"));

    [Theory]
    [InlineData(nameof(WebhookAuthentication.Hmac), "X-Keycloak-Signature", Signature)]
    [InlineData(nameof(WebhookAuthentication.Basic), "Authorization", "Basic cWxmd2Vta2U=")]
    [InlineData(nameof(WebhookAuthentication.SharedHeader), "X-Webhook-Secret", "qlfwemke")]
    public void No_header_and_a_doubled_one_prove_nothing(string scheme, string header, string value)
    {
        var authentication = Enum.Parse<WebhookAuthentication>(scheme);
        Assert.Equal(SignatureVerdict.Valid, Check(authentication, header, value, "qlfwemke"));
        Assert.Equal(SignatureVerdict.Missing, Check(authentication, "X-Other", value, "qlfwemke"));
        Assert.Equal(SignatureVerdict.Doubled, Check(authentication, header, new StringValues([value, value]), "qlfwemke"));
    }

    private static SignatureVerdict Check(WebhookAuthentication scheme, string header, StringValues value, params string[] secrets) =>
        DeliveryProof.Check(new HeaderDictionary { [header] = value }, Body, scheme, secrets, Now);
}
