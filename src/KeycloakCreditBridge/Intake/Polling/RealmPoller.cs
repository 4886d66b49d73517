using System.Runtime.ExceptionServices;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;
using KeycloakCreditBridge.Storage.Sessions;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>Polls both event streams of one realm while it holds the realm's lease.</summary>
internal sealed partial class RealmPoller(
    string realm,
    KeycloakEvents keycloak,
    HintWriter writer,
    PollCursorStore cursors,
    LeaseStore leases,
    EventLossReporter losses,
    DeliveryRecorder deliveries,
    PollStatus status,
    IntakeMetrics metrics,
    IOptions<IntakeOptions> options,
    TimeProvider clock,
    ILogger<RealmPoller> logger,
    OriginRecorder? origins = null)
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ReleaseTimeout = TimeSpan.FromSeconds(2);

    // The bridge's roles do not show how long admin events are kept. It is assumed that they are kept for at least this long.
    private static readonly TimeSpan LeastAdminRetention = TimeSpan.FromHours(1);

    private readonly PollOptions _poll = options.Value.Poll;
    private readonly PollPace _pace = new(options.Value.Poll);
    private readonly string _lease = $"poll:{realm}";
    private readonly string _owner = LeaseStore.NewOwner();
    private readonly EventStream _userEvents =
        new(EventSource.UserEvents(keycloak, realm), writer, cursors, losses, deliveries, options.Value.Poll, clock)
        {
            Origins = origins,
        };

    private readonly EventStream _adminEvents =
        new(EventSource.AdminEvents(keycloak, realm), writer, cursors, losses, deliveries, options.Value.Poll, clock)
        {
            Retention = LeastAdminRetention, Origins = origins,
        };

    private DateTimeOffset _heldUntil = DateTimeOffset.MinValue;
    private DateTimeOffset _nextSweep = DateTimeOffset.MinValue;

    /// <summary>Polls until the process stops, then releases the lease.</summary>
    public async Task RunAsync(CancellationToken stoppingToken)
    {
        var loop = new BackgroundLoop(clock, MaxRetryDelay, Failed, () => LogRecovered(realm))
        {
            RetryAfter = exception => (exception as KeycloakUnavailableException)?.RetryAfter,
        };
        try
        {
            await loop.RunAsync(PollAsync, token => Task.Delay(_pace.Pause, clock, token), stoppingToken);
        }
        finally
        {
            await ReleaseAsync();
        }
    }

    private async Task<bool> PollAsync(CancellationToken cancellationToken)
    {
        if (!await TakeLeaseAsync(cancellationToken))
        {
            status.Update(realm, now => now with { IsPolling = false, Error = null });
            _pace.Succeeded(0);
            return false;
        }

        using var span = Spans.Start("poll realm", ("credits.realm", realm));
        var started = clock.GetUtcNow();
        var sweep = started >= _nextSweep;
        if (sweep)
            await ReadSettingsAsync(cancellationToken);
        var found = await ReadAsync(sweep, cancellationToken);
        if (sweep)
            _nextSweep = started + _poll.SweepInterval;
        _pace.Succeeded(found);
        status.Update(realm, now => now with { IsPolling = true, LastPoll = started, Error = null });
        return false;
    }

    private async Task<bool> TakeLeaseAsync(CancellationToken cancellationToken)
    {
        var asked = clock.GetUtcNow();
        var lapsed = asked >= _heldUntil;
        if (!await leases.TakeAsync(_lease, _owner, Lease, cancellationToken))
        {
            _heldUntil = DateTimeOffset.MinValue;
            return false;
        }

        _heldUntil = asked + Lease;
        if (lapsed)
        {
            _userEvents.Reload();
            _adminEvents.Reload();
            _nextSweep = DateTimeOffset.MinValue;
        }

        return true;
    }

    private async Task ReadSettingsAsync(CancellationToken cancellationToken)
    {
        var config = await keycloak.GetConfigAsync(realm, cancellationToken);
        losses.CheckSettings(realm, config);
        _userEvents.Retention = config.EventsExpiration is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : TimeSpan.MaxValue;
    }

    // They are two tables of Keycloak's: where one cannot be read in time, the other is read all the same.
    private async Task<int> ReadAsync(bool sweep, CancellationToken cancellationToken)
    {
        var found = 0;
        Exception? failure = null;
        foreach (var stream in new[] { _userEvents, _adminEvents })
        {
            try
            {
                found += await ReadAsync(stream, sweep, cancellationToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                failure ??= exception;
            }
        }

        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
        return found;
    }

    private async Task<int> ReadAsync(EventStream stream, bool sweep, CancellationToken cancellationToken)
    {
        var found = 0;
        await foreach (var hints in stream.PollAsync(sweep, cancellationToken))
        {
            found += hints;
            metrics.HintsPolled(realm, stream.Name, hints);
            // A long backlog takes longer than the lease.
            if (clock.GetUtcNow() >= _heldUntil - (Lease / 2) && !await TakeLeaseAsync(cancellationToken))
                break;
        }

        return found;
    }

    private void Failed(Exception exception, bool isNew)
    {
        var reason = PrivilegeErrors.Describe(exception).ReplaceLineEndings(" ");
        metrics.PollFailed(realm);
        status.Update(realm, now => now with { Error = reason });
        if (exception is KeycloakEventStoreException)
            losses.ReportNoStore(realm, reason);
        if (isNew)
            LogFailed(realm, reason);
    }

    private async Task ReleaseAsync()
    {
        using var timeout = new CancellationTokenSource(ReleaseTimeout, clock);
        try
        {
            await leases.ReleaseAsync(_lease, _owner, timeout.Token);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            LogNotReleased(realm, exception.Message);
        }
    }

    [LoggerMessage(EventId = 210, Level = LogLevel.Warning, Message = "Polling realm '{Realm}' fails and is repeated: {Reason}")]
    private partial void LogFailed(string realm, string reason);

    [LoggerMessage(EventId = 211, Level = LogLevel.Information, Message = "Polling realm '{Realm}' works again.")]
    private partial void LogRecovered(string realm);

    [LoggerMessage(EventId = 212, Level = LogLevel.Debug,
        Message = "The lease on polling realm '{Realm}' could not be released and expires by itself: {Reason}")]
    private partial void LogNotReleased(string realm, string reason);
}
