using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Grants.Experiments.Running;

/// <summary>
/// Says which experiments assign users now. Each version begins when it is first needed: what it compares is frozen then. A replica that is
/// configured differently assigns no users, and neither does any while a replica of an older program runs.
/// </summary>
internal sealed partial class ExperimentRuns(
    ExperimentStore store, FrozenExperiments frozen, TimeProvider clock, ILogger<ExperimentRuns> logger)
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<(string Realm, string Experiment, int Version), bool> _begun = new();
    private readonly ConcurrentDictionary<(string Realm, string Experiment, int Version), DateTimeOffset> _asked = new();
    private readonly ConcurrentDictionary<(string Realm, string Experiment, int Version), bool> _warned = new();

    private volatile ReadRuns? _runs;

    /// <summary>Those of a realm's experiments that run as they are configured, by key.</summary>
    public async Task<IReadOnlyDictionary<string, ExperimentRun>> ActiveAsync(
        string realm, IReadOnlyList<ExperimentTerms> experiments, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var isNew = false;
        foreach (var experiment in experiments.Where(one => one.From <= now && !_begun.ContainsKey((realm, one.Key, one.Version))))
            isNew |= await BeginAsync(realm, experiment, now, cancellationToken);
        if (_runs is not { } read || isNew || clock.GetElapsedTime(read.At) > Freshness)
        {
            var all = await store.ListAsync(cancellationToken);
            frozen.Set(all);
            _runs = read = new(clock.GetTimestamp(), all.ToDictionary(run => (run.Realm, run.Experiment, run.Version)));
        }

        Dictionary<string, ExperimentRun> active = new(StringComparer.Ordinal);
        foreach (var experiment in experiments)
        {
            if (!read.All.TryGetValue((realm, experiment.Key, experiment.Version), out var run))
                continue;
            if (run.Definition == experiment.Definition)
                active[experiment.Key] = new(run.StoppedAt is not null, run.Winner);
            else if (_warned.TryAdd((realm, experiment.Key, experiment.Version), true))
            {
                LogDiffers(
                    experiment.Key, realm, string.Join(", ", ExperimentDefinition.Differences(run.Definition, experiment.Definition)));
            }
        }

        return active;
    }

    private async Task<bool> BeginAsync(string realm, ExperimentTerms experiment, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var key = (realm, experiment.Key, experiment.Version);
        if (_asked.TryGetValue(key, out var last) && now - last < RetryPause)
            return false;
        var older = await store.BeginAsync(realm, experiment, now, cancellationToken);
        if (older.Count > 0)
        {
            _asked[key] = now;
            LogWaits(experiment.Key, realm, string.Join(", ", older.Select(replica => $"{replica.Id} ({replica.Version})")));
            return false;
        }

        if (_begun.TryAdd(key, true))
            LogBegun(experiment.Key, experiment.Version, realm);
        return true;
    }

    private sealed record ReadRuns(long At, IReadOnlyDictionary<(string Realm, string Experiment, int Version), BegunExperiment> All);

    [LoggerMessage(EventId = 1050, Level = LogLevel.Information,
        Message = "Experiment {Experiment} version {Version} runs in realm {Realm}; what it compares is frozen.")]
    private partial void LogBegun(string experiment, int version, string realm);

    [LoggerMessage(EventId = 1051, Level = LogLevel.Warning,
        Message = "Experiment {Experiment} does not begin in realm {Realm} and accounts open as without it, until these replicas of an "
            + "older program are stopped: {Replicas}")]
    private partial void LogWaits(string experiment, string realm, string replicas);

    [LoggerMessage(EventId = 1052, Level = LogLevel.Warning,
        Message = "Experiment {Experiment} of realm {Realm} is configured here otherwise than it began, and this replica assigns no users "
            + "to it: {Differences}. Configure all replicas as it began, or choose the next Version.")]
    private partial void LogDiffers(string experiment, string realm, string differences);
}
