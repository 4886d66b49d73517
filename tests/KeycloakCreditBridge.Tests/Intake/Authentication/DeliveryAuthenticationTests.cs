using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Keycloak;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Tests.Intake.Authentication;

public sealed class DeliveryAuthenticationTests
{
    private const string Signature = "24d06b6fece44aba3383aab6c25d74f068e2205b74a9ed0dc7cadf6526f5c1c4";
    private const string Zeros = "0000000000000000000000000000000000000000000000000000000000000000";

    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;
    private static readonly byte[] Body =
        Encoding.UTF8.GetBytes("""{"id":"11111111-1111-1111-1111-111111111111","type":"access.REGISTER"}""");

    public static TheoryData<string> Names => Plugins.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_recorded_delivery_is_authenticated(string name)
    {
        var plugin = Plugins.Named(name);
        Assert.All(
            Deliveries.RecordedIn(plugin.File),
            sent => Assert.Equal(
                AuthenticationOutcome.Valid,
                DeliveryAuthentication.Check(Plugins.HeadersOf(sent.Headers), sent.Body, plugin.Authentication, plugin.Secrets, Now)));
    }

    [Fact]
    public void Either_secret_authenticates_a_delivery_signed_with_both_during_a_rotation()
    {
        var rotating = Deliveries.RecordedIn(Plugins.Named("webhook-provider").File).Skip(7);
        foreach (var (body, headers) in rotating)
            foreach (var secret in (string[])[Deliveries.Secret, Plugins.RotatedSecret])
                Assert.Equal(
                    AuthenticationOutcome.Valid,
                    DeliveryAuthentication.Check(Plugins.HeadersOf(headers), body, WebhookAuthentication.Hmac, [secret], Now));
    }

    [Theory]
    [InlineData(Signature, AuthenticationOutcome.Valid)]
    [InlineData("sha256=" + Signature, AuthenticationOutcome.Valid)]
    [InlineData("sha256=" + Zeros + ",sha256=" + Signature, AuthenticationOutcome.Valid)]
    [InlineData("sha256=" + Zeros + ", sha256=" + Zeros, AuthenticationOutcome.Wrong)]
    [InlineData("sha256=", AuthenticationOutcome.Malformed)]
    [InlineData("sha1=" + Signature, AuthenticationOutcome.Malformed)]
    [InlineData("sha512=" + Signature, AuthenticationOutcome.Malformed)]
    [InlineData("SHA256=" + Signature, AuthenticationOutcome.Malformed)]
    [InlineData("sha256=" + Signature + ",", AuthenticationOutcome.Malformed)]
    [InlineData("sha256=" + Signature + ", " + Signature, AuthenticationOutcome.Malformed)]
    [InlineData(Signature + ", sha256=" + Signature, AuthenticationOutcome.Malformed)]
    [InlineData("sha256=" + Signature + ", sha256=abc", AuthenticationOutcome.Malformed)]
    [InlineData("sha256=a,sha256=b,sha256=c,sha256=d,sha256=" + Signature, AuthenticationOutcome.Malformed)]
    public void Only_prefixed_signatures_may_be_listed_together(string header, object verdict) =>
        Assert.Equal(verdict, Check(WebhookAuthentication.Hmac, "X-Keycloak-Signature", header, "qlfwemke"));

    [Fact]
    public void SHA_1_is_accepted_only_where_it_is_configured_and_then_alone()
    {
#pragma warning disable CA5350 // The plugin offers this algorithm, and what is tested is that it is asked for by configuration only.
        var sha1 = Convert.ToHexStringLower(HMACSHA1.HashData("qlfwemke"u8, Body));
#pragma warning restore CA5350
        Assert.Equal(AuthenticationOutcome.Valid, Check(WebhookAuthentication.HmacSha1, "X-Keycloak-Signature", sha1, "qlfwemke"));
        Assert.Equal(
            AuthenticationOutcome.Valid, Check(WebhookAuthentication.HmacSha1, "X-Keycloak-Signature", "sha256=" + sha1, "qlfwemke"));
        Assert.Equal(AuthenticationOutcome.Wrong, Check(WebhookAuthentication.HmacSha1, "X-Keycloak-Signature", sha1, "another"));
        Assert.Equal(AuthenticationOutcome.Malformed, Check(WebhookAuthentication.HmacSha1, "X-Keycloak-Signature", Signature, "qlfwemke"));
        Assert.Equal(AuthenticationOutcome.Malformed, Check(WebhookAuthentication.Hmac, "X-Keycloak-Signature", sha1, "qlfwemke"));
    }

    [Theory]
    [InlineData("Basic YnJpZGdlOnMzY3JldA==", AuthenticationOutcome.Valid)]
    [InlineData("basic YnJpZGdlOnMzY3JldA==", AuthenticationOutcome.Valid)]
    [InlineData("Basic YnJpZGdlOnMzY3JldDI=", AuthenticationOutcome.Wrong)]
    [InlineData("Basic YnJpZGdlOnMzY3Jl", AuthenticationOutcome.Wrong)]
    [InlineData("Basic ", AuthenticationOutcome.Wrong)]
    [InlineData("Basic", AuthenticationOutcome.Malformed)]
    [InlineData("Basic bridge:s3cret", AuthenticationOutcome.Malformed)]
    [InlineData("Bearer YnJpZGdlOnMzY3JldA==", AuthenticationOutcome.Malformed)]
    [InlineData("bridge:s3cret", AuthenticationOutcome.Malformed)]
    [InlineData("", AuthenticationOutcome.Empty)]
    public void Basic_requires_user_and_password(string header, object verdict) =>
        Assert.Equal(verdict, Check(WebhookAuthentication.Basic, "Authorization", header, "bridge:s3cret"));

    [Theory]
    [InlineData("s3cret-header", AuthenticationOutcome.Valid)]
    [InlineData("the-next", AuthenticationOutcome.Valid)]
    [InlineData("S3cret-header", AuthenticationOutcome.Wrong)]
    [InlineData("s3cret-heade", AuthenticationOutcome.Wrong)]
    [InlineData("s3cret-header,the-next", AuthenticationOutcome.Wrong)]
    [InlineData("", AuthenticationOutcome.Empty)]
    public void A_shared_header_requires_the_secret(string header, object verdict) =>
        Assert.Equal(verdict, Check(WebhookAuthentication.SharedHeader, "X-Webhook-Secret", header, "s3cret-header", "the-next"));

    [Theory]
    [InlineData(nameof(WebhookAuthentication.Hmac), "X-Keycloak-Signature", Signature)]
    [InlineData(nameof(WebhookAuthentication.Basic), "Authorization", "Basic cWxmd2Vta2U=")]
    [InlineData(nameof(WebhookAuthentication.SharedHeader), "X-Webhook-Secret", "qlfwemke")]
    public void A_missing_or_doubled_header_is_refused(string scheme, string header, string value)
    {
        var authentication = Enum.Parse<WebhookAuthentication>(scheme);
        Assert.Equal(AuthenticationOutcome.Valid, Check(authentication, header, value, "qlfwemke"));
        Assert.Equal(AuthenticationOutcome.Missing, Check(authentication, "X-Other", value, "qlfwemke"));
        Assert.Equal(AuthenticationOutcome.Doubled, Check(authentication, header, new StringValues([value, value]), "qlfwemke"));
    }

    private static AuthenticationOutcome Check(WebhookAuthentication scheme, string header, StringValues value, params string[] secrets) =>
        DeliveryAuthentication.Check(new HeaderDictionary { [header] = value }, Body, scheme, secrets, Now);
}
