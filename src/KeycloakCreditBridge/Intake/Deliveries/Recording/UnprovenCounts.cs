using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Api.Rates;
using KeycloakCreditBridge.Configuration.Logs;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>Counts requests whose sender proved nothing, by minute, realm and reason, with the first of each as a sample.</summary>
internal sealed class UnprovenCounts
{
    // More than an hour of each reason: while the database is away, later ones are only in the metrics.
    private const int MostRows = 1_000;
    private const int LongestText = 100;

    private readonly Lock _gate = new();
    private Dictionary<(DateTimeOffset Minute, string Realm, string Reason), UnprovenCount> _counts = [];

    /// <param name="at">When it came.</param>
    /// <param name="realm">A configured realm, or nothing.</param>
    /// <param name="reason">A word of the bridge's own.</param>
    /// <param name="request">Its headers make the sample.</param>
    public void Add(DateTimeOffset at, string realm, string reason, HttpRequest request)
    {
        var utc = at.UtcDateTime;
        var key = (new DateTimeOffset(utc.Year, utc.Month, utc.Day, utc.Hour, utc.Minute, 0, TimeSpan.Zero), realm, reason);
        lock (_gate)
        {
            if (_counts.TryGetValue(key, out var known))
                _counts[key] = known with { Count = known.Count + 1 };
            else if (_counts.Count < MostRows)
                _counts[key] = new UnprovenCount(key.Item1, realm, reason, 1, SampleOf(request));
        }
    }

    /// <summary>Takes all counts.</summary>
    public IReadOnlyCollection<UnprovenCount> Take()
    {
        lock (_gate)
        {
            var taken = _counts;
            if (taken.Count > 0)
                _counts = [];
            return taken.Values;
        }
    }

    /// <summary>Gives back counts that could not be written.</summary>
    public void PutBack(IReadOnlyCollection<UnprovenCount> counts)
    {
        lock (_gate)
        {
            foreach (var count in counts)
            {
                var key = (count.Minute, count.Realm, count.Reason);
                if (_counts.TryGetValue(key, out var newer))
                    _counts[key] = count with { Count = count.Count + newer.Count };
                else if (_counts.Count < MostRows)
                    _counts[key] = count;
            }
        }
    }

    private static string SampleOf(HttpRequest request) => JsonSerializer.Serialize(
        new UnprovenSample(
            CallerNetwork.Of(request.HttpContext.Connection.RemoteIpAddress), Shown(request.Headers.UserAgent.ToString()),
            Shown(request.ContentType ?? ""), request.ContentLength),
        UnprovenJson.Default.UnprovenSample);

    private static string Shown(string text) => VisibleText.Of(text.Length <= LongestText ? text : text[..LongestText]);
}

/// <param name="Count">How many came in this minute.</param>
/// <param name="Sample">The first of them, as JSON.</param>
internal sealed record UnprovenCount(DateTimeOffset Minute, string Realm, string Reason, long Count, string Sample);

/// <summary>A request whose sender proved nothing, without its body.</summary>
/// <param name="Network">The address, or the first half of an address of IPv6.</param>
/// <param name="Length">As the request says, in bytes; null where it does not.</param>
internal sealed record UnprovenSample(string Network, string UserAgent, string ContentType, long? Length);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(UnprovenSample))]
internal sealed partial class UnprovenJson : JsonSerializerContext;
