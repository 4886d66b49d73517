using System.Collections;
using System.Diagnostics;

namespace KeycloakCreditBridge.Configuration.Logs;

/// <summary>Has lines about a user carry realm, user and trace as fields, in each format and over OTLP.</summary>
internal static class UserScope
{
    public const string Realm = "Realm";
    public const string UserId = "UserId";
    public const string TraceId = "TraceId";

    private const int TraceAt = 3;
    private const int TraceLength = 32;

    /// <summary>Begins the scope of lines about one user.</summary>
    /// <param name="logger">Any logger: lines of other ones carry the fields too.</param>
    /// <param name="realm">The user's realm; null where it is not known.</param>
    /// <param name="userId">The user's id in Keycloak, or the id by which a caller named the user.</param>
    /// <param name="traceparent">The trace that led to the user; null for the running one.</param>
    public static IDisposable? About(this ILogger logger, string? realm, string? userId, string? traceparent = null) =>
        logger.BeginScope(new Fields(realm, userId, TraceOf(traceparent)));

    /// <summary>
    /// Begins a trace of work that no request began. Where nothing records it, its id is in lines of the log all the same.
    /// </summary>
    public static Activity? BeginTrace(string name)
    {
        if (Activity.Current is not null)
            return null;
        var activity = new Activity(name);
        activity.Start();
        return activity;
    }

    private static string TraceOf(string? traceparent) =>
        traceparent is { Length: > TraceAt + TraceLength } ? traceparent.Substring(TraceAt, TraceLength)
        : (Activity.Current?.TraceId ?? ActivityTraceId.CreateRandom()).ToHexString();

    private sealed class Fields(string? realm, string? userId, string trace) : IReadOnlyList<KeyValuePair<string, object?>>
    {
        public int Count => realm is null ? 2 : 3;

        public KeyValuePair<string, object?> this[int index] => index switch
        {
            0 => new(UserId, userId),
            1 => new(TraceId, trace),
            _ => new(Realm, realm),
        };

        public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
        {
            for (var index = 0; index < Count; index++)
                yield return this[index];
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
