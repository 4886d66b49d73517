using System.Text;
using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks.Formats;

public sealed class WebhookFormatTests
{
    public static TheoryData<string> Names => Plugins.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_recorded_delivery_names_the_event_and_the_user_concerned(string name)
    {
        var plugin = Plugins.Named(name);
        foreach (WebhookFormat? pinned in (WebhookFormat?[])[null, plugin.Format])
            Assert.Equal(plugin.Hints, Deliveries.RecordedIn(plugin.File).Select(sent => Hint(sent.Body, pinned)));
    }

    [Fact]
    public void Phase_Two_s_deliveries_look_like_no_other_format() =>
        Assert.All(Deliveries.Recorded(), sent => Assert.Equal(WebhookFormat.PhaseTwo, DeliveryReader.FormatOf(BodyShape.Of(sent.Body))));

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_recorded_delivery_is_refused_where_another_format_is_pinned(string name)
    {
        var plugin = Plugins.Named(name);
        foreach (var pinned in Enum.GetValues<WebhookFormat>().Where(
            format => format != plugin.Format && !MayLookAlike(format, plugin.Format)))
            foreach (var (body, _) in Deliveries.RecordedIn(plugin.File))
                Assert.Throws<MalformedDeliveryException>(() => DeliveryReader.Read(body, Envelope.None, pinned));
    }

    [Theory]
    [InlineData("""{"type":"REGISTER","realmId":"r","time":1,"userId":"u1"}""", "Changed u1 REGISTER")]
    [InlineData("""{"type":"LOGIN_ERROR","realmId":"r","time":1,"userId":"u1","error":"x"}""", null)]
    [InlineData("""{"type":"USER-DELETE","realmId":"r","time":1,"userId":"admin"}""", null)]
    [InlineData("""{"type":"REALM-UPDATE","realmId":"r","time":1,"userId":"admin"}""", null)]
    [InlineData("""{"type":"USER-ACTION","realmId":"r","time":1,"userId":"admin","resourcePath":"users/u1/reset-password"}""",
        "Seen u1 USER-ACTION")]
    [InlineData("""{"operationType":"UPDATE","resourceType":"REALM","realmId":"r","time":1,"authDetails":{"userId":"admin"}}""", null)]
    [InlineData("""{"type":"REGISTER","uid":"x","realmId":"r","time":1,"userId":"u1"}""", null)]
    [InlineData("""{"type":"test","uid":"x","occurredAt":"2026-11-23T04:20:39.539Z"}""", null)]
    [InlineData("""{"eventId":"x","source":"HEARTBEAT"}""", null)]
    [InlineData(
        """{"eventId":"x","source":"ADMIN_EVENT","operationType":"CREATE","resourceType":"USER","resourcePath":"users/f:a:b","""
        + """ "auth":{"userId":"admin"}}""",
        "Changed f:a:b USER-CREATE")]
    public void Bodies_are_read_by_their_shape(string body, string? hint) => Assert.Equal(hint, Hint(Encoding.UTF8.GetBytes(body), null));

    [Theory]
    [InlineData("""{"type":"REG\u0007","realmId":"r","time":1}""", "'type'")]
    [InlineData("""{"type":"access.LOGIN","uid":"x","occurredAt":"x","userId":7}""", "$.userId")]
    [InlineData("""{"type":"","uid":"x","occurredAt":"x"}""", "'type'")]
    [InlineData("""{"operationType":"","resourceType":"USER","realmId":"r","time":1}""", "'operationType'")]
    [InlineData("""{"operationType":"CREATE","realmId":"r","time":1}""", "'resourceType'")]
    [InlineData("""{"eventId":"x","source":"USER_EVENT"}""", "'type'")]
    [InlineData("""{"eventId":"x","source":"ADMIN_EVENT","operationType":"CREATE","resourceType":"\n"}""", "'resourceType'")]
    [InlineData("""{"eventId":"x","source":7}""", "$.source")]
    public void A_malformed_body_of_each_format_is_named(string body, string named) =>
        Assert.Contains(
            named, Assert.Throws<MalformedDeliveryException>(() => Hint(Encoding.UTF8.GetBytes(body), null)).Message,
            StringComparison.Ordinal);

    // User events of these two look the same and mean the same.
    private static bool MayLookAlike(WebhookFormat pinned, WebhookFormat sent) =>
        pinned is WebhookFormat.KeycloakEvents or WebhookFormat.Vymalo
        && sent is WebhookFormat.KeycloakEvents or WebhookFormat.Vymalo;

    private static string? Hint(byte[] body, WebhookFormat? pinned) =>
        DeliveryReader.Read(body, Envelope.None, pinned).HintFor("demo") is { } hint ? $"{hint.Kind} {hint.UserId} {hint.Cause}" : null;
}
