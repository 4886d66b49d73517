namespace KeycloakCreditBridge.Keycloak.Database;

/// <summary>
/// Users of a realm, summed up: an id's hash is its bucket, and its hash under what the user is and when it was created adds to the
/// bucket's sum. The same users give the same sums in any order, and whoever is known to one side alone, or as something else, gives
/// another sum. So two databases are compared without either sending a user. Where they hash differently, as other versions of
/// PostgreSQL may, everything differs and everybody is read.
/// </summary>
/// <param name="People">How many of the users are people.</param>
internal sealed record UserDigest(long Bucket, long People, decimal Sum)
{
    /// <summary>4,096 buckets: few enough to send at once, so many that one of a million users has some hundreds.</summary>
    public const string Mask = "4095";

    public const string Enabled = "1";
    public const string Disabled = "2";
    public const string Service = "3";

    /// <summary>The millisecond of a creation times this leaves room for the above.</summary>
    public const string KindCount = "4";

    /// <summary>The millisecond of a creation that nobody tells, which is the one before the calendar, and the last one.</summary>
    public const string NoCreationTime = "-62135596800000";
    public const string MaxCreationTime = "253402300799999";

    /// <summary>Buckets for a statement that takes no parameters.</summary>
    public static string Literal(IReadOnlyList<long>? buckets) => buckets is null ? "null" : $"'{{{string.Join(',', buckets)}}}'";
}
