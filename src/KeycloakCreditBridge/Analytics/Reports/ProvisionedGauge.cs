using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>Shows how many users of the last 30 days should have an account, and how many have one.</summary>
internal sealed partial class ProvisionedGauge : BackgroundService
{
    private const int Days = 30;

    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    private readonly AnalyticsStore _store;
    private readonly ReportWriter _writer;
    private readonly SchemaGate _gate;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly string[] _realms;
    private IReadOnlyList<ProvisionedShare>? _newest;

    public ProvisionedGauge(
        AnalyticsStore store, ReportWriter writer, SchemaGate gate, Meter meter, IOptions<KeycloakOptions> keycloak, TimeProvider clock,
        ILogger<ProvisionedGauge> logger)
    {
        _realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        (_store, _writer, _gate, _clock, _logger) = (store, writer, gate, clock, logger);
        meter.CreateObservableGauge(
            "bridge.provisioning.eligible", () => Measure(share => share.Eligible), "{user}",
            "Users registered within 30 days that should have an account.");
        meter.CreateObservableGauge(
            "bridge.provisioning.provisioned", () => Measure(share => share.InTime), "{user}", "Those of them that have one.");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _gate.WaitAsync(stoppingToken);
        await BackgroundLoop.ShowAsync(
            _clock, Every, token => _store.ProvisionedAsync(_writer.Today.AddDays(-Days), token), shares => _newest = shares, LogUnknown,
            stoppingToken);
    }

    // A realm without users shows 0.
    private IEnumerable<Measurement<long>> Measure(Func<ProvisionedShare, long> select) => _newest is not { } newest ? [] :
    [
        .. _realms.Select(realm => new Measurement<long>(
            newest.Where(share => share.Realm == realm).Sum(select), new KeyValuePair<string, object?>("realm", realm))),
    ];

    [LoggerMessage(EventId = 1201, Level = LogLevel.Debug, Message = "How many users have accounts is not known: {Reason}")]
    private partial void LogUnknown(string reason);
}
