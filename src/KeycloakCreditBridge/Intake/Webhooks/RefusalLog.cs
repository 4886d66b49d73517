using System.Collections.Concurrent;
using System.Net;

namespace KeycloakCreditBridge.Intake.Webhooks;

/// <summary>A delivery is refused. The message goes to its sender and holds nothing that the sender must not know.</summary>
/// <param name="realm">The configured realm that it was for, or null when it was for none.</param>
/// <param name="reason">A word for metrics and logs.</param>
/// <param name="cause">Its message is logged in place of the exception's own.</param>
internal sealed class DeliveryRefusedException(HttpStatusCode status, string? realm, string reason, string message, Exception? cause = null)
    : Exception(message, cause)
{
    public HttpStatusCode Status => status;

    public string? Realm => realm;

    public string Reason => reason;
}

/// <summary>Counts refusals and logs each kind once a minute, so that an unknown sender cannot fill the log.</summary>
internal sealed partial class RefusalLog(IntakeMetrics metrics, TimeProvider clock, ILogger<RefusalLog> logger)
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<(string Realm, string Reason), DateTimeOffset> _nextLogAt = new();

    public void Add(DeliveryRefusedException refusal)
    {
        var realm = refusal.Realm ?? "";
        metrics.DeliveryRefused(realm, refusal.Reason);
        var now = clock.GetUtcNow();
        var kind = (realm, refusal.Reason);
        if (_nextLogAt.TryGetValue(kind, out var until) && now < until)
            return;
        _nextLogAt[kind] = now + LogInterval;
        LogRefused(realm, (int)refusal.Status, refusal.Reason, refusal.InnerException?.Message ?? refusal.Message);
    }

    [LoggerMessage(
        EventId = 202,
        Level = LogLevel.Warning,
        Message = "A webhook for realm '{Realm}' was refused with {Status} {Reason}: {Explanation}")]
    private partial void LogRefused(string realm, int status, string reason, string explanation);
}
