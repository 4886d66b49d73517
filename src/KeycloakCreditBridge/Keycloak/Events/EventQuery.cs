namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>
/// Events from a moment on. It means the same on every server: where a server filters by day only and answers newest first, the
/// client asks from the day before, drops what is too old and, for an ascending query, reads all pages and reverses them.
/// </summary>
/// <param name="From">Oldest event wanted, inclusive.</param>
/// <param name="First">Events to skip; only needed where more than a page shares one millisecond, see <see cref="Next"/>.</param>
/// <param name="Max">
/// Size of a page. An answer shorter than this is the last one. An ascending answer of a server that filters by day may be longer.
/// </param>
/// <param name="Ascending">Oldest first, as a backlog is read: the next query continues from the last event received.</param>
internal sealed record EventQuery(DateTimeOffset From, int First, int Max, bool Ascending)
{
    /// <summary>
    /// The query for what follows a page, or null after the last one. An ascending query continues from the last event's own millisecond,
    /// so the events of that millisecond come again: callers drop them by <see cref="UserEvent.Fingerprint"/>.
    /// </summary>
    /// <param name="received">Events on the page.</param>
    /// <param name="lastTime">Time of the last of them, in milliseconds.</param>
    public EventQuery? Next(int received, long lastTime)
    {
        if (received < Max)
            return null;
        return Ascending && lastTime > From.ToUnixTimeMilliseconds()
            ? this with { From = DateTimeOffset.FromUnixTimeMilliseconds(lastTime), First = 0 }
            : this with { First = First + received };
    }
}
