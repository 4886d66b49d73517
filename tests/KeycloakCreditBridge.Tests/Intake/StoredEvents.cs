using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Polling;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Tests.Intake;

/// <summary>An event store that answers as a server with event ids does, and whose events a test puts in and takes out.</summary>
internal sealed class StoredEvents
{
    private readonly List<PolledEvent> _events = [];

    public EventSource Source => new("demo", StreamNames.Users, ListAsync);

    /// <summary>The queries so far.</summary>
    public List<EventQuery> Queries { get; } = [];

    /// <summary>From which query on the server fails; null for never.</summary>
    public int? FailsFromQuery { get; set; }

    /// <summary>Makes an event of a user visible, whose id is the user's.</summary>
    public void Add(string userId, DateTimeOffset time) => _events.Add(new PolledEvent(
        userId, time.ToUnixTimeMilliseconds(), new UserHint("demo", userId, HintKind.Changed, "REGISTER", HintSources.Poll)));

    public void RemoveBefore(DateTimeOffset time) => _events.RemoveAll(happened => happened.Time < time.ToUnixTimeMilliseconds());

    private Task<IReadOnlyList<PolledEvent>> ListAsync(EventQuery query, CancellationToken cancellationToken)
    {
        Queries.Add(query);
        if (Queries.Count > FailsFromQuery)
            throw new KeycloakProtocolException("demo", "The page was cut off.");
        var from = _events.Where(happened => happened.Time >= query.From.ToUnixTimeMilliseconds());
        var ordered = query.Ascending ? from.OrderBy(happened => happened.Time) : from.OrderByDescending(happened => happened.Time);
        return Task.FromResult<IReadOnlyList<PolledEvent>>([.. ordered.Skip(query.First).Take(query.Max)]);
    }
}
