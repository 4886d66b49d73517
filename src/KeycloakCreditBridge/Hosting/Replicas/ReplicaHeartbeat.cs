using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Replicas;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Hosting.Replicas;

/// <summary>
/// Shows this replica in the database for as long as it runs, and ends it when a migration meanwhile has made the schema unusable for its
/// program.
/// </summary>
internal sealed partial class ReplicaHeartbeat : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    private readonly ReplicaStore _replicas;
    private readonly Migrator _migrator;
    private readonly SchemaGate _gate;
    private readonly CurrentSettings _settings;
    private readonly HotKeys _keys;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private IReadOnlyList<Replica>? _live;

    public ReplicaHeartbeat(
        ReplicaStore replicas, Migrator migrator, SchemaGate gate, CurrentSettings settings, HotKeys keys, Meter meter, TimeProvider clock,
        ILogger<ReplicaHeartbeat> logger)
    {
        (_replicas, _migrator, _gate, _settings, _keys) = (replicas, migrator, gate, settings, keys);
        (_clock, _logger) = (clock, logger);
        meter.CreateObservableGauge("bridge.replicas.live", Measure, "{replica}", "Replicas that run, by version.");
    }

    /// <summary>This process among the replicas.</summary>
    public string Id { get; } = LeaseStore.NewOwner();

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (!_gate.IsOpen)
            return;
        try
        {
            await _replicas.RemoveAsync(Id, cancellationToken);
        }
        catch (Exception exception) when (exception is NpgsqlException or OperationCanceledException)
        {
            LogNotRemoved(exception.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _gate.WaitAsync(stoppingToken);
        await new BackgroundLoop(_clock, Every, Failed).RunAsync(BeatAsync, Every, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            _live = null;
            if (isNew)
                LogNotShown(PrivilegeErrors.Describe(exception));
        }
    }

    /// <summary>Shows this replica and checks the schema.</summary>
    // It is shown before it checks the schema: a migrator that does not see it applied its migrations before the check. One that cannot
    // show itself is seen by no migrator, and needs the check most.
    internal async Task BeatAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _replicas.SeenAsync(
                Id, ProductVersion.Text, _migrator.Known[^1].Version, _settings.Version.Hash(_keys), cancellationToken);
        }
        finally
        {
            await CheckSchemaAsync(cancellationToken);
        }

        _live = await _replicas.LiveAsync(cancellationToken);
    }

    // A pooler that was switched may be switched back: it ends no replica that works.
    private async Task CheckSchemaAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _migrator.HasMigrationsAsync(cancellationToken);
        }
        catch (MigrationException exception)
        {
            _gate.Refuse(exception);
        }
    }

    private IEnumerable<Measurement<long>> Measure() =>
        (_live ?? []).CountBy(replica => replica.Version, StringComparer.Ordinal)
            .Select(version => new Measurement<long>(version.Value, new KeyValuePair<string, object?>("version", version.Key)));

    [LoggerMessage(EventId = 730, Level = LogLevel.Warning,
        Message = "This replica cannot show itself in the database and tries again: {Reason}")]
    private partial void LogNotShown(string reason);

    [LoggerMessage(EventId = 731, Level = LogLevel.Information,
        Message = "This replica could not remove itself from the database; it counts as live for a minute more: {Reason}")]
    private partial void LogNotRemoved(string reason);
}
