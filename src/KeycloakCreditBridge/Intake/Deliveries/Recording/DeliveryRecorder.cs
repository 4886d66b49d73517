using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>Remembers what came in and what came of it.</summary>
internal sealed class DeliveryRecorder(
    DeliveryWriter writer, UnprovenCounts unproven, IOptions<DeliveriesOptions> options, TimeProvider clock)
{
    private const int LongestText = 200;

    private readonly bool _isOn = options.Value.Keep > TimeSpan.Zero;

    /// <summary>A request has come; null where nothing is remembered.</summary>
    public Arrival? Begin() => _isOn ? new Arrival(clock.GetUtcNow(), clock.GetTimestamp()) : null;

    /// <summary>A request is answered. Without a proof it is only counted.</summary>
    public void End(Arrival? arrival, HttpContext context, string outcome, string? reason = null)
    {
        if (arrival is null)
            return;
        if (!arrival.IsProven)
        {
            unproven.Add(arrival.At, arrival.Realm, outcome == DeliveryOutcomes.Refused ? reason ?? outcome : "unsigned", context.Request);
            return;
        }

        AddOne(arrival, DeliveryWays.Webhook, outcome, reason);
    }

    /// <summary>An event of the broker was taken.</summary>
    /// <param name="arrival">When it had come, and what it says.</param>
    /// <param name="outcome">See <see cref="DeliveryOutcomes"/>.</param>
    /// <param name="reason">Why it was ignored or refused.</param>
    public void EndMessage(Arrival? arrival, string outcome, string? reason = null)
    {
        if (arrival is not null)
            AddOne(arrival, DeliveryWays.Broker, outcome, reason);
    }

    private void AddOne(Arrival arrival, string way, string outcome, string? reason) =>
        writer.Add(New(arrival.At, arrival.Realm, way, outcome) with
        {
            Format = arrival.Format,
            Event = Shown(arrival.Event),
            KeycloakId = arrival.Hint?.UserId,
            Kind = KindOf(arrival.Hint),
            Reason = Shown(reason),
            Hints = outcome == DeliveryOutcomes.Stored ? 1 : 0,
            Duration = clock.GetElapsedTime(arrival.Started),
            TraceId = RecordedDelivery.CurrentTrace,
            Body = outcome == DeliveryOutcomes.Refused ? arrival.Body : null,
        });

    /// <summary>A page of a stream was read that had new events.</summary>
    /// <param name="arrival">When the page had come.</param>
    /// <param name="stream">The stream of events.</param>
    /// <param name="events">How many events were new.</param>
    /// <param name="hints">How many of them concern a user.</param>
    /// <param name="failure">Why the hints were not stored; null where they were.</param>
    public void EndBatch(Arrival? arrival, string stream, int events, int hints, Exception? failure)
    {
        if (arrival is null || events == 0)
            return;
        var outcome = failure is not null ? DeliveryOutcomes.NotStored : hints > 0 ? DeliveryOutcomes.Stored : DeliveryOutcomes.Ignored;
        writer.Add(New(arrival.At, arrival.Realm, DeliveryWays.Poll, outcome) with
        {
            Format = stream,
            Reason = failure is not null ? Shown(PrivilegeErrors.Describe(failure)) : hints > 0 ? null : "no_user",
            Events = events,
            Hints = failure is null ? hints : 0,
            Duration = clock.GetElapsedTime(arrival.Started),
            TraceId = RecordedDelivery.CurrentTrace,
        });
    }

    private static RecordedDelivery New(DateTimeOffset at, string realm, string way, string outcome)
    {
        var id = Guid.CreateVersion7(at);
        return new RecordedDelivery(id, RecordedDelivery.TimeOf(id), realm, way, outcome);
    }

    private static string? KindOf(UserHint? hint) => hint?.Kind switch
    {
        null => null,
        HintKind.Deleted => "deleted",
        HintKind.Seen => "seen",
        _ => "changed",
    };

    // Senders are free to write anything into a type, also what PostgreSQL takes for no text.
    private static string? Shown(string? text) =>
        text is null ? null : VisibleText.Of(text.Length <= LongestText ? text : text[..LongestText]);
}
