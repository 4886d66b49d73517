namespace KeycloakCreditBridge.Keycloak.Database;

/// <summary>
/// A digest of a realm's users. An id's hash chooses its bucket; its hash seeded with the user's kind and creation time adds to the
/// bucket's sum. The same users give the same sums in any order; a user that one side lacks, or has as another kind, gives another sum.
/// So two databases are compared without sending a user. Versions of PostgreSQL that hash differently make every user be read.
/// </summary>
/// <param name="Users">How many of them are not service accounts.</param>
internal sealed record UserDigest(long Bucket, long Users, decimal Sum)
{
    /// <summary>4,096 buckets: few enough to send at once, so many that one of a million users has some hundreds.</summary>
    public const string Mask = "4095";

    public const string Enabled = "1";
    public const string Disabled = "2";
    public const string Service = "3";

    /// <summary>A creation time in milliseconds times this leaves room for the kinds above.</summary>
    public const string KindCount = "4";

    /// <summary>The milliseconds that stand for an unknown creation time, and the greatest creation time.</summary>
    public const string NoCreationTime = "-62135596800000";
    public const string MaxCreationTime = "253402300799999";

    /// <summary>Buckets for a statement that takes no parameters.</summary>
    public static string Literal(IReadOnlyList<long>? buckets) => buckets is null ? "null" : $"'{{{string.Join(',', buckets)}}}'";
}
