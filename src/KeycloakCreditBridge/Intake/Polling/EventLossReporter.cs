using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>
/// Reports what polling cannot see: events that Keycloak does not store or no longer has. Each loss is logged and counted once, and
/// requests a reconciliation, as only that can find the users behind it.
/// </summary>
internal sealed partial class EventLossReporter(
    PollStatus status, LostEventsSignal requests, IntakeMetrics metrics, ILogger<EventLossReporter> logger)
{
    /// <summary>Takes note of what the realm stores.</summary>
    public void CheckSettings(string realm, EventsConfig config)
    {
        var before = status.Of(realm);
        status.Update(realm, now => now with { UserEventsStored = config.EventsEnabled, AdminEventsStored = config.AdminEventsEnabled });
        Compare(realm, StreamNames.Users, before.UserEventsStored, config.EventsEnabled, "eventsEnabled");
        Compare(realm, StreamNames.Admins, before.AdminEventsStored, config.AdminEventsEnabled, "adminEventsEnabled");
    }

    /// <summary>Takes note that Keycloak has no usable event store, so that it stores nothing.</summary>
    public void ReportNoStore(string realm, string explanation)
    {
        var before = status.Of(realm);
        status.Update(realm, now => now with { UserEventsStored = false, AdminEventsStored = false });
        if (before is { UserEventsStored: false, AdminEventsStored: false })
            return;
        LogNoStore(realm, explanation);
        ReportLoss(realm, StreamNames.Users, "Keycloak has no usable event store");
    }

    /// <summary>Takes note that the newest known event is deleted, and perhaps others that were not read.</summary>
    public void ReportDeleted(string realm, string stream, DateTimeOffset newestKnown)
    {
        LogDeleted(realm, stream, newestKnown);
        ReportLoss(realm, stream, $"{stream} were wiped or expired before they were read");
    }

    /// <summary>Requests a run that closes the accounts of overwritten users. No stored event is lost, so no loss is counted.</summary>
    public void ReportOverwritten(string realm) => requests.Raise(realm, EventRules.Overwritten);

    private void Compare(string realm, string stream, bool? before, bool stored, string setting)
    {
        if (!stored && before != false)
        {
            LogOff(realm, stream, setting);
            ReportLoss(realm, stream, $"{stream} are not stored");
        }
        else if (stored && before == false)
        {
            LogOn(realm, stream);
            ReportLoss(realm, stream, $"{stream} were not stored for a while");
        }
    }

    private void ReportLoss(string realm, string stream, string reason)
    {
        requests.Raise(realm, reason);
        metrics.EventsLost(realm, stream);
        status.Update(realm, now => now with { Losses = now.Losses + 1 });
    }

    [LoggerMessage(
        EventId = 220,
        Level = LogLevel.Warning,
        Message = "Realm '{Realm}' does not store {Stream}. Switch {Setting} on; until then only webhooks and reconciliation find users.")]
    private partial void LogOff(string realm, string stream, string setting);

    [LoggerMessage(
        EventId = 221,
        Level = LogLevel.Information,
        Message = "Realm '{Realm}' stores {Stream} again. A reconciliation finds the users of the time between.")]
    private partial void LogOn(string realm, string stream);

    [LoggerMessage(EventId = 222, Level = LogLevel.Warning, Message = "Realm '{Realm}' stores no events: {Explanation}")]
    private partial void LogNoStore(string realm, string explanation);

    [LoggerMessage(
        EventId = 223,
        Level = LogLevel.Warning,
        Message = "Realm '{Realm}' lost {Stream}: the last one read, of {NewestKnown:O}, is deleted, and unread ones may be too. "
            + "A reconciliation is requested; keep events longer if this repeats.")]
    private partial void LogDeleted(string realm, string stream, DateTimeOffset newestKnown);
}
