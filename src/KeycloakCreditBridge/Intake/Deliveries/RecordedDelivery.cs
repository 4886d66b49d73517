using System.Diagnostics;

namespace KeycloakCreditBridge.Intake.Deliveries;

/// <summary>A proven webhook, an event of the broker, or a batch of a poll, and what came of it.</summary>
/// <param name="Id">Begins with the time, so that it leads to its day.</param>
/// <param name="ReceivedAt">To the millisecond, as the id has it.</param>
/// <param name="Way">See <see cref="DeliveryWays"/>.</param>
/// <param name="Outcome">See <see cref="DeliveryOutcomes"/>.</param>
internal sealed record RecordedDelivery(Guid Id, DateTimeOffset ReceivedAt, string Realm, string Way, string Outcome)
{
    /// <summary>The webhook's format, or the stream of events that was polled; null where it is not known.</summary>
    public string? Format { get; init; }

    /// <summary>The type of the event; null for a batch and where the body has none.</summary>
    public string? Event { get; init; }

    /// <summary>Keycloak's id of the user concerned; null for a batch and where no user is.</summary>
    public string? KeycloakId { get; init; }

    /// <summary>`changed`, `deleted` or `seen`, as the hint; null without one.</summary>
    public string? Kind { get; init; }

    /// <summary>Why it was ignored, refused or not stored.</summary>
    public string? Reason { get; init; }

    /// <summary>How many new events the batch of a poll had; null for a webhook.</summary>
    public int? Events { get; init; }

    public int Hints { get; init; }

    /// <summary>From the request's arrival, or the page's, to its end.</summary>
    public TimeSpan Duration { get; init; }

    public string? TraceId { get; init; }

    /// <summary>The body of a refused delivery, without what may be a credential.</summary>
    public string? Body { get; init; }

    /// <summary>The trace that is recorded; null where none is.</summary>
    public static string? CurrentTrace => Activity.Current is { Recorded: true } current ? current.TraceId.ToString() : null;

    /// <summary>The time that an id begins with.</summary>
    public static DateTimeOffset TimeOf(Guid id)
    {
        var bytes = id.ToByteArray(bigEndian: true);
        var milliseconds = 0L;
        foreach (var part in bytes.AsSpan(0, 6))
            milliseconds = (milliseconds << 8) | part;
        return milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)
            : DateTimeOffset.MaxValue;
    }
}

/// <summary>How deliveries come in.</summary>
internal static class DeliveryWays
{
    public const string Webhook = "webhook";
    public const string Poll = "poll";
    public const string Broker = "broker";
}

/// <summary>What comes of deliveries.</summary>
internal static class DeliveryOutcomes
{
    /// <summary>The account of its user is committed; it left no hint.</summary>
    public const string Converged = "converged";

    /// <summary>Its hints are committed.</summary>
    public const string Stored = "stored";

    /// <summary>It concerns no user with an account.</summary>
    public const string Ignored = "ignored";

    /// <summary>Its sender is proven, and its body cannot be used.</summary>
    public const string Refused = "refused";

    /// <summary>The database did not take its hints. The sender was told to send it again; a poll reads it again.</summary>
    public const string NotStored = "not_stored";

    public static readonly string[] All = [Converged, Stored, Ignored, Refused, NotStored];
}
