using System.Threading.Channels;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Provisioning.Worker;
using KeycloakCreditBridge.Storage.Sessions;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>
/// Converges the users of what waits or stores their hints, then acknowledges it: an event is with the broker, or its account or hint is
/// committed, or both. What can never be read is rejected, which makes it a dead letter.
/// </summary>
internal sealed partial class BrokerBatches(
    RoutingKeys keys, IChannel channel, HintWriter writer, DeliveryRecorder deliveries, LostEventsSignal lostEvents,
    BrokerMetrics metrics, IOptions<IntakeOptions> intake, TimeProvider clock, ILogger<BrokerBatches> logger,
    HintConverger? converger = null)
{
    private const int MostAtOnce = 1_000;

    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(15);

    /// <summary>Takes what waits, in one commit.</summary>
    /// <exception cref="AlreadyClosedException">The broker takes no acknowledgement: it delivers again.</exception>
    public async Task TakeAsync(ChannelReader<BrokerMessage> messages, CancellationToken cancellationToken)
    {
        using var span = Spans.Start("take events of broker");
        List<Arrived> arrived = [];
        while (arrived.Count < MostAtOnce && messages.TryRead(out var message))
            arrived.Add(Read(message));
        var converged = await TakeAsync([.. arrived.Where(each => each.Hint is not null)], cancellationToken);
        // A host that stops does so between batches.
        await AcknowledgeAsync(arrived, CancellationToken.None);
        foreach (var each in arrived)
            Report(each, each is { MayConverge: true, Hint: { } hint } && converged.Contains((hint.Realm, hint.UserId)));
    }

    private Arrived Read(BrokerMessage message)
    {
        var arrival = deliveries.Begin();
        if (keys.RealmIn(message.Key) is not { } realm)
            return new Arrived(message, arrival, Realm: null);
        arrival?.Realm = realm.Name;
        try
        {
            var (happened, hint) = message.Read(realm, intake.Value.Webhook.MaxBodyBytes);
            if (arrival is not null)
                (arrival.Format, arrival.Event, arrival.Hint) = (happened.Format.ToString(), hint?.Cause ?? happened.EventType, hint);
            return new Arrived(message, arrival, realm.Name) { Event = happened, Hint = hint };
        }
        catch (MalformedDeliveryException malformed)
        {
            arrival?.Body = DeliveryBody.Of(message.Body, realm.WebhookSecrets);
            return new Arrived(message, arrival, realm.Name) { Fault = malformed };
        }
    }

    // While the database is away the events wait here and with the broker: a rejected one would be delivered until it is a dead letter.
    private async Task<IReadOnlySet<(string Realm, string UserId)>> TakeAsync(
        IReadOnlyCollection<Arrived> arrived, CancellationToken cancellationToken)
    {
        IReadOnlySet<(string Realm, string UserId)> converged = new HashSet<(string, string)>();
        UserHint[] prompt = [.. arrived.Where(each => converger is not null && each.MayConverge).Select(each => each.Hint!)];
        UserHint[] rest = [.. arrived.Where(each => converger is null || !each.MayConverge).Select(each => each.Hint!)];
        await new BackgroundLoop(clock, LongestRetryDelay, Failed, LogStoringAgain).RetryAsync(TakeAsync, cancellationToken);
        return converged;

        async Task TakeAsync(CancellationToken _)
        {
            await writer.WriteAsync(rest, CancellationToken.None);
            if (prompt.Length > 0)
                converged = await converger!.TakeAsync(prompt);
        }

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogNotStored(PrivilegeErrors.Describe(exception).ReplaceLineEndings(" "));
        }
    }

    private async Task AcknowledgeAsync(IReadOnlyList<Arrived> arrived, CancellationToken cancellationToken)
    {
        foreach (var unreadable in arrived.Where(each => each.Fault is not null))
            await channel.BasicRejectAsync(unreadable.Message.Tag, requeue: false, cancellationToken);
        // Takes all before it along, of which those that are rejected are done already.
        if (arrived.LastOrDefault(each => each.Fault is null) is { } last)
            await channel.BasicAckAsync(last.Message.Tag, multiple: true, cancellationToken);
    }

    private void Report(Arrived arrived, bool isConverged)
    {
        switch (arrived)
        {
            case { Realm: null }:
                metrics.Foreign();
                return;
            case { Fault: { } fault }:
                metrics.Refused(arrived.Realm, fault.Reason);
                LogRefused(arrived.Realm, fault.Reason, fault.Message);
                deliveries.EndMessage(arrived.Arrival, DeliveryOutcomes.Refused, fault.Reason);
                return;
            case { Hint: null }:
                metrics.Ignored(arrived.Realm);
                deliveries.EndMessage(arrived.Arrival, DeliveryOutcomes.Ignored, arrived.Event?.WhyIgnored);
                return;
        }

        if (arrived.Event?.Admin is { } happened && EventRules.IsOverwrite(happened))
            lostEvents.Raise(arrived.Realm, EventRules.Overwritten);
        metrics.Accepted(arrived.Realm, isConverged);
        deliveries.EndMessage(arrived.Arrival, isConverged ? DeliveryOutcomes.Converged : DeliveryOutcomes.Stored);
        if (!logger.IsEnabled(LogLevel.Debug))
            return;
        using var about = logger.About(arrived.Realm, arrived.Hint.UserId);
        if (isConverged)
            LogConverged(arrived.Hint.Kind, arrived.Hint.Cause);
        else
            LogStored(arrived.Hint.Kind, arrived.Hint.Cause);
    }

    [LoggerMessage(
        EventId = 243,
        Level = LogLevel.Error,
        Message = "Events of the broker wait, because their hints cannot be stored: {Reason}")]
    private partial void LogNotStored(string reason);

    [LoggerMessage(EventId = 244, Level = LogLevel.Information, Message = "Events of the broker are stored again.")]
    private partial void LogStoringAgain();

    [LoggerMessage(
        EventId = 245,
        Level = LogLevel.Warning,
        Message = "An event of the broker for realm {Realm} can never be read and is a dead letter ({Reason}): {Explanation}")]
    private partial void LogRefused(string realm, string reason, string explanation);

    [LoggerMessage(EventId = 246, Level = LogLevel.Debug, Message = "An event of the broker is stored as a hint: {Kind}, by {Cause}.")]
    private partial void LogStored(HintKind kind, string cause);

    [LoggerMessage(
        EventId = 247,
        Level = LogLevel.Debug,
        Message = "The account of the user of the broker's event is converged: {Kind}, by {Cause}.")]
    private partial void LogConverged(HintKind kind, string cause);

    /// <param name="Message">What was delivered.</param>
    /// <param name="Arrival">Its row among the deliveries; null where none are recorded.</param>
    /// <param name="Realm">The realm that its key names; null where none is configured.</param>
    private sealed record Arrived(BrokerMessage Message, Arrival? Arrival, string? Realm)
    {
        public Delivery? Event { get; init; }

        public UserHint? Hint { get; init; }

        /// <summary>Whether its sender is known to publish after Keycloak's transaction has committed.</summary>
        public bool MayConverge => Message.IsSentAfterCommit;

        /// <summary>Why it can never be read.</summary>
        public MalformedDeliveryException? Fault { get; init; }
    }
}
