using System.Globalization;
using System.Text.Json.Serialization.Metadata;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>Reads stored events, so that servers which filter by day and know one order only answer like the others.</summary>
/// <param name="transport">The way to Keycloak.</param>
/// <param name="resource">events or admin-events.</param>
/// <param name="pageType">How a page is read.</param>
/// <param name="timeOf">When an event happened, in milliseconds.</param>
internal sealed class EventReader<TEvent>(
    AdminTransport transport, string resource, JsonTypeInfo<IReadOnlyList<TEvent>> pageType, Func<TEvent, long> timeOf)
{
    /// <summary>
    /// Events that a backlog read newest first may hold in memory. Newer ones are dropped and come with the next query, which continues
    /// from the last of these.
    /// </summary>
    private const int MaxBacklog = 50_000;

    public Task<IReadOnlyList<TEvent>> ReadAsync(
        string realm, EventQuery query, ServerCapabilities capabilities, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(query.Max);
        if (capabilities.OrderedEvents)
            return PageAsync(realm, Milliseconds(query), query.First, query.Max, query.Ascending ? "asc" : "desc", cancellationToken);
        return query.Ascending ? BacklogAsync(realm, query, cancellationToken) : NewestAsync(realm, query, cancellationToken);
    }

    private async Task<IReadOnlyList<TEvent>> NewestAsync(string realm, EventQuery query, CancellationToken cancellationToken)
    {
        var page = await PageAsync(realm, DayBefore(query), query.First, query.Max, direction: null, cancellationToken);
        return [.. Recent(page, query)];
    }

    private async Task<IReadOnlyList<TEvent>> BacklogAsync(string realm, EventQuery query, CancellationToken cancellationToken)
    {
        var newestFirst = new Queue<TEvent>();
        var first = 0;
        IReadOnlyList<TEvent> page;
        List<TEvent> recent;
        do
        {
            page = await PageAsync(realm, DayBefore(query), first, query.Max, direction: null, cancellationToken);
            recent = [.. Recent(page, query)];
            foreach (var found in recent)
                newestFirst.Enqueue(found);
            while (newestFirst.Count > MaxBacklog + query.First)
                newestFirst.Dequeue();
            first += page.Count;
        }
        while (page.Count >= query.Max && recent.Count == page.Count);
        return [.. newestFirst.Reverse().Skip(query.First)];
    }

    private IEnumerable<TEvent> Recent(IReadOnlyList<TEvent> page, EventQuery query) =>
        page.Where(candidate => timeOf(candidate) >= query.From.ToUnixTimeMilliseconds());

    private Task<IReadOnlyList<TEvent>> PageAsync(
        string realm, string dateFrom, int first, int max, string? direction, CancellationToken cancellationToken)
    {
        var order = direction is null ? "" : $"&direction={direction}";
        var rest = string.Create(CultureInfo.InvariantCulture, $"?dateFrom={dateFrom}&first={first}&max={max}{order}");
        return transport.ReadAsync(realm, new AdminRequest(resource, AdminRequest.ViewEvents, rest), pageType, cancellationToken);
    }

    /// <summary>A minus sign would make the server take the value for a date.</summary>
    private static string Milliseconds(EventQuery query) =>
        Math.Max(0, query.From.ToUnixTimeMilliseconds()).ToString(CultureInfo.InvariantCulture);

    /// <summary>The server reads the day in a time zone of its own, so its day may begin hours after that of UTC.</summary>
    private static string DayBefore(EventQuery query)
    {
        var day = query.From > DateTimeOffset.UnixEpoch.AddDays(1) ? query.From.UtcDateTime.AddDays(-1) : DateTime.UnixEpoch;
        return day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
    }
}
