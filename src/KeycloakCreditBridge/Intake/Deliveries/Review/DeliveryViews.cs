using System.Text.Json;

namespace KeycloakCreditBridge.Intake.Deliveries.Review;

/// <summary>Which deliveries are meant.</summary>
/// <param name="Realm">Null for all.</param>
/// <param name="Outcome">One of <see cref="DeliveryOutcomes.All"/>, or <see cref="Failed"/>; null for all.</param>
/// <param name="User">Keycloak's id; null for all.</param>
/// <param name="Since">Those that came at this time or later.</param>
/// <param name="Before">Those that a newest-first list shows after this one.</param>
internal sealed record DeliveryFilter(
    string? Realm, string? Outcome = null, string? User = null, DateTimeOffset? Since = null, Guid? Before = null)
{
    /// <summary>Refused, or not stored.</summary>
    public const string Failed = "failed";
}

/// <summary>A delivery as an operator sees it.</summary>
/// <param name="Way">`webhook` or `poll`.</param>
/// <param name="Format">The webhook's format, or the stream of events that was polled.</param>
/// <param name="Outcome">`converged`, `stored`, `ignored`, `refused` or `not_stored`.</param>
/// <param name="Events">How many new events the batch of a poll had.</param>
/// <param name="DurationUs">In microseconds.</param>
/// <param name="Body">Of a refused delivery, without what may be a credential.</param>
internal sealed record DeliveryView(
    Guid Id, DateTimeOffset ReceivedAt, string Realm, string Way, string? Format, string? Event, string? KeycloakId, string? Kind,
    string Outcome, string? Reason, int? Events, int Hints, long DurationUs, string? TraceId, string? Body);

/// <summary>Requests of a minute whose sender proved nothing.</summary>
/// <param name="Realm">Empty where the request named no configured realm.</param>
/// <param name="Sample">The first of them: network, user agent, content type and length.</param>
internal sealed record UnprovenView(DateTimeOffset Minute, string Realm, string Reason, long Count, JsonElement Sample)
{
    // For Dapper, which reads JSON as text.
    public UnprovenView(DateTimeOffset minute, string realm, string reason, long count, string sample)
        : this(minute, realm, reason, count, JsonElement.Parse(sample))
    {
    }
}

/// <summary>How many deliveries failed.</summary>
/// <param name="Users">How many users they concern, each counted once.</param>
/// <param name="WithoutUser">Refused ones that name no user: a reconciliation finds the users concerned.</param>
internal sealed record FailedDeliveries(long Deliveries, long Users, long WithoutUser);

/// <summary>What came of a realm's webhooks.</summary>
/// <param name="Stored">Those whose account or hint was committed.</param>
internal sealed record DeliveryState(string Realm, long Stored, long Ignored, long Refused, long NotStored);
