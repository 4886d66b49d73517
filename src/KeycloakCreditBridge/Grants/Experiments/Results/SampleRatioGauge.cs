using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Grants.Experiments.Results;

/// <summary>Shows how probable the numbers of users in the arms are. Without experiments nothing is read.</summary>
internal sealed partial class SampleRatioGauge : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(5);

    private readonly ExperimentReports _reports;
    private readonly Hot<GrantsOptions> _options;
    private readonly SchemaGate _gate;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private IReadOnlyList<ExperimentResult>? _newest;

    public SampleRatioGauge(
        ExperimentReports reports, Hot<GrantsOptions> options, SchemaGate gate, Meter meter, TimeProvider clock,
        ILogger<SampleRatioGauge> logger)
    {
        (_reports, _options, _gate, _clock, _logger) = (reports, options, gate, clock, logger);
        meter.CreateObservableGauge(
            "bridge.experiments.sample_ratio_probability", Measure, "1",
            "How probable the numbers of users in the arms of an experiment are by chance, by realm and experiment.");
    }

    /// <summary>Reads the results now.</summary>
    internal async Task<IReadOnlyList<ExperimentResult>> ReadAsync(CancellationToken cancellationToken)
    {
        var options = _options.Current;
        return options.Experiments.Count == 0 && options.Realms.Values.All(realm => realm.Experiments is not { Count: > 0 })
            ? []
            : await _reports.ListAsync(null, null, cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _gate.WaitAsync(stoppingToken);
        await BackgroundLoop.ShowAsync(_clock, Every, ReadAsync, results => _newest = results, LogUnknown, stoppingToken);
    }

    private IEnumerable<Measurement<double>> Measure() => (_newest ?? []).Select(result => new Measurement<double>(
        result.Ratio.Probability, new KeyValuePair<string, object?>("realm", result.Run.Realm),
        new KeyValuePair<string, object?>("experiment", result.Run.Experiment)));

    [LoggerMessage(EventId = 1053, Level = LogLevel.Debug, Message = "The sample ratios of experiments could not be read: {Reason}")]
    private partial void LogUnknown(string reason);
}
