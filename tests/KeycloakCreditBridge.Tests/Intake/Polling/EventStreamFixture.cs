using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Intake.Polling;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Intake.Polling;

/// <summary>Streams of stored events, at noon.</summary>
internal sealed class EventStreamFixture : IDisposable
{
    public static readonly DateTimeOffset Noon = new(2026, 12, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly PollOptions Options = new() { PageSize = 10 };

    private readonly LostEventsSignal _requests = new();
    private readonly Meter _meter = new("tests");

    private HintWriter? _writer;

    public StoredEvents Events { get; } = new();

    public ManualTimeProvider Clock { get; } = new(Noon);

    public void Dispose()
    {
        _writer?.Dispose();
        _meter.Dispose();
    }

    public static async Task<int> PollAsync(EventStream stream, bool sweep = false)
    {
        var hints = 0;
        await foreach (var brought in stream.PollAsync(sweep, TestContext.Current.CancellationToken))
            hints += brought;
        return hints;
    }

    public EventStream Stream(TestDatabase database, TimeSpan? retention = null)
    {
        var metrics = new IntakeMetrics(_meter, new OptionsWrapper<KeycloakOptions>(new KeycloakOptions()));
        var losses = new EventLossReporter(
            new PollStatus(_meter, TimeProvider.System), _requests, metrics, NullLogger<EventLossReporter>.Instance);
        var deliveries = new DeliveryRecorder(
            writer: null!, new UnprovenCounts(), new OptionsWrapper<DeliveriesOptions>(new DeliveriesOptions { Keep = TimeSpan.Zero }),
            Clock);
        var options = new OptionsWrapper<HintOptions>(new HintOptions());
        _writer ??= new HintWriter(
            new HintStore(database.DataSource), new HintHandover(options, Clock), new HintSignal(Clock), options, Clock);
        return new EventStream(Events.Source, _writer, new PollCursorStore(database.DataSource), losses, deliveries, Options, Clock)
        {
            Retention = retention ?? TimeSpan.MaxValue,
        };
    }

    /// <summary>Reconciliations asked for since the last call.</summary>
    public List<LostEvents> Asked()
    {
        List<LostEvents> asked = [];
        while (_requests.Reader.TryRead(out var request))
            asked.Add(request);
        return asked;
    }
}
