namespace KeycloakCreditBridge.Configuration.Logs;

/// <summary>Lets one line a minute pass of those that requests can cause at any rate.</summary>
internal sealed class LogPace(TimeProvider clock)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private long _nextTicks;

    /// <summary>Whether the line may be written now.</summary>
    public bool IsDue()
    {
        var (now, next) = (clock.GetUtcNow(), Interlocked.Read(ref _nextTicks));
        return now.UtcTicks >= next && Interlocked.CompareExchange(ref _nextTicks, (now + Interval).UtcTicks, next) == next;
    }
}
