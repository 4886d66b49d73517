using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Intake.Broker;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Chaos.Fuzzing.Readers;

/// <summary>Deliveries: what webhooks and the broker bring, and how senders prove themselves.</summary>
[SuppressMessage("Security", "CA5394", Justification = "A seed has to make the same choices each time.")]
[SuppressMessage("Security", "CA5350", Justification = "A plugin signs with SHA1.")]
internal static class DeliveryReading
{
    private const string Secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string OtherSecret = "NfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string Realm = "demo";
    private const int LongestBody = 1024 * 1024;

    private static readonly string[] Secrets = [Secret];
    private static readonly RealmOptions Demo = new() { Name = Realm, WebhookSecrets = [Secret] };
    private static readonly RoutingKeys Keys = new([Demo]);
    private static readonly WebhookFormat?[] Pinned = [null, null, null, null, null, null, .. Enum.GetValues<WebhookFormat>()];
    private static readonly Envelope[] Envelopes = [Envelope.None, Envelope.None, Envelope.None, .. Enum.GetValues<Envelope>()];
    private static readonly string[] RoutingKeyEnds = ["demo", "demo.SUCCESS.app.REGISTER", "other", "demo2.x", "de*mo", "", "#"];

    // Of a token the realm's keys decide, which a bridge reads from Keycloak.
    private static readonly WebhookAuthentication[] Schemes =
        [.. Enum.GetValues<WebhookAuthentication>().Where(scheme => scheme != WebhookAuthentication.RealmToken)];

    /// <summary>Whether the webhook's body is taken.</summary>
    public static bool Webhook(byte[] body, Random random)
    {
        var (envelope, pinned) = (Envelopes[random.Next(Envelopes.Length)], Pinned[random.Next(Pinned.Length)]);
        return IsTaken(body, () => DeliveryReader.Read(body, envelope, pinned).UsableHintFor(Realm, HintSources.Webhook));
    }

    /// <summary>Whether the broker's message is taken.</summary>
    public static bool Broker(byte[] body, Random random)
    {
        var end = RoutingKeyEnds[random.Next(RoutingKeyEnds.Length)];
        var named = Keys.RealmIn($"KK.EVENT.CLIENT.{end}");
        BrokenPromiseException.Unless(
            named is null == (end.Split('.')[0] != Realm), $"A routing key that ends in {end} names the realm {named?.Name ?? "of none"}.");
        return named is not null && IsTaken(body, () => new BrokerMessage(1, end, body).Read(named, LongestBody).Hint);
    }

    /// <summary>A sender that has signed this body is taken; one that has signed another, or knows no secret, never is.</summary>
    public static bool Sender(byte[] body, Random random)
    {
        var scheme = Schemes[random.Next(Schemes.Length)];
        BrokenPromiseException.Unless(IsProven(Proof(scheme, body, Secret)), $"The right proof is refused by {scheme}.");
        BrokenPromiseException.Unless(!IsProven(Proof(scheme, body, OtherSecret)), $"A proof by another secret is taken by {scheme}.");
        BrokenPromiseException.Unless(!IsProven(Forged(body)), $"A body in place of a proof is taken by {scheme}.");
        if (DeliveryAuthentication.Signs(scheme))
            BrokenPromiseException.Unless(
                !IsProven(Proof(scheme, Other(body, random.Next(body.Length + 1)), Secret)),
                $"The proof of another body is taken by {scheme}.");
        return true;

        bool IsProven(HeaderDictionary headers) =>
            DeliveryAuthentication.Check(headers, body, scheme, Secrets, DateTimeOffset.UnixEpoch) == AuthenticationOutcome.Valid;
    }

    private static bool IsTaken(byte[] body, Func<UserHint?> read)
    {
        try
        {
            if (read() is not { } hint)
                return true;
            BrokenPromiseException.Unless(hint.Realm == Realm, $"The hint is about the realm {hint.Realm}.");
            BrokenPromiseException.Unless(hint.UserId.Length is > 0 and <= 255, $"The user's id has {hint.UserId.Length} characters.");
            BrokenPromiseException.UnlessStorable(hint.UserId, "The user's id");
            BrokenPromiseException.UnlessStorable(hint.Cause, "The cause");
            return true;
        }
        catch (MalformedDeliveryException malformed)
        {
            BrokenPromiseException.Unless(!malformed.Message.Contains('\n', StringComparison.Ordinal), "The message has several lines.");
            var kept = DeliveryBody.Of(body, Secrets);
            BrokenPromiseException.UnlessStorable(kept, "What is kept of the body");
            BrokenPromiseException.Unless(
                Encoding.UTF8.GetByteCount(kept) <= DeliveryBody.Longest, "What is kept of the body is too long.");
            return false;
        }
    }

    private static byte[] Other(byte[] body, int at) =>
        at == body.Length ? [.. body, (byte)' '] : [.. body[..at], (byte)(body[at] ^ 1), .. body[(at + 1)..]];

    private static HeaderDictionary Proof(WebhookAuthentication scheme, byte[] body, string secret)
    {
        var key = Encoding.UTF8.GetBytes(secret);
        return scheme switch
        {
            WebhookAuthentication.Hmac => new() { [HmacSignature.Header] = Convert.ToHexString(HMACSHA256.HashData(key, body)) },
            WebhookAuthentication.HmacSha1 => new() { [HmacSignature.Header] = Convert.ToHexString(HMACSHA1.HashData(key, body)) },
            WebhookAuthentication.Basic => new() { [BasicCredentials.Header] = $"Basic {Convert.ToBase64String(key)}" },
            WebhookAuthentication.SharedHeader => new() { [SharedSecret.Header] = secret },
            _ => new()
            {
                ["webhook-id"] = "1",
                ["webhook-timestamp"] = "0",
                [StandardWebhooksSignature.Header] =
                    "v1," + Convert.ToBase64String(
                        HMACSHA256.HashData(StandardWebhooksSignature.KeyOf(secret)!, (byte[])[.. "1.0."u8, .. body])),
            },
        };
    }

    private static HeaderDictionary Forged(byte[] body)
    {
        var text = Encoding.UTF8.GetString(body, 0, Math.Min(body.Length, 100));
        return new HeaderDictionary
        {
            [HmacSignature.Header] = body.Length % 2 == 0 ? text : $"sha256={text}",
            [BasicCredentials.Header] = $"Basic {Convert.ToBase64String(body)}",
            [SharedSecret.Header] = text,
            ["webhook-id"] = "1",
            ["webhook-timestamp"] = "1",
            [StandardWebhooksSignature.Header] = $"v1,{Convert.ToBase64String(body.AsSpan(0, Math.Min(body.Length, 32)))} {text}",
        };
    }
}
