using KeycloakCreditBridge.Intake.Authentication;

namespace KeycloakCreditBridge.Intake;

/// <summary>Why a webhook was refused: one word for log and metric. There are no others, so that no sender can make series.</summary>
internal static class RefusalReasons
{
    public const string RealmNotNamed = "realm_not_named";
    public const string UnknownRealm = "unknown_realm";
    public const string NoSecret = "no_secret";
    public const string KeysUnknown = "keys_unknown";
    public const string MediaType = "media_type";
    public const string ContentEncoding = "content_encoding";
    public const string TooLong = "too_long";
    public const string NotReceived = "not_received";
    public const string Malformed = "malformed";
    public const string WrongRealm = "wrong_realm";
    public const string UserId = "user_id";

    /// <summary>Those of deliveries for a configured realm.</summary>
    public static readonly string[] OfRealm =
    [
        NoSecret, KeysUnknown, MediaType, ContentEncoding, TooLong, NotReceived, Malformed, WrongRealm, UserId,
        .. Enum.GetValues<AuthenticationOutcome>().Where(outcome => outcome != AuthenticationOutcome.Valid).Select(OfSignature),
    ];

    public static string OfSignature(AuthenticationOutcome outcome) => $"signature_{outcome}".ToLowerInvariant();
}
