using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Hosting;

/// <summary>
/// Opens when PostgreSQL is reachable and migrated, and existing accounts are adopted. Loops wait for it; the HTTP server does not: a
/// sender repeats after a 503, and loses its delivery at a closed port. A schema that this program cannot work with ends the process.
/// </summary>
internal sealed partial class SchemaGate(
    Migrator migrator, AdoptionMarkStore adoption, IEnumerable<ISchemaCondition> conditions, IOptions<StorageOptions> options,
    IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<SchemaGate> logger) : BackgroundService
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsOpen => _opened.Task.IsCompletedSuccessfully;

    /// <summary>Why the gate is not open yet, in one line; null while no reason is known.</summary>
    public string? Problem { get; private set; }

    /// <summary>Why the process ends: the schema is not this program's. Null while it may become so.</summary>
    public MigrationException? Refusal { get; private set; }

    /// <summary>Ends when the schema is ready.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _opened.Task.WaitAsync(cancellationToken);

    /// <summary>Ends the process, because its program cannot work on the schema.</summary>
    public void Refuse(MigrationException reason)
    {
        if (Refusal is not null)
            return;
        Refusal = reason;
        Problem = reason.Message;
        LogRefused(reason.Message);
        lifetime.StopApplication();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (await FindProblemAsync(stoppingToken) is not { } obstacle)
                {
                    Problem = null;
                    LogReady();
                    _opened.SetResult();
                    return;
                }

                Report(obstacle);
            }
            catch (MigrationException exception)
            {
                Refuse(exception);
                return;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                Report(PrivilegeErrors.Describe(exception).ReplaceLineEndings(" "));
            }

            await Task.Delay(RetryAfter, clock, stoppingToken);
        }

        void Report(string reason)
        {
            if (reason == Problem)
                return;
            Problem = reason;
            LogWaiting(reason);
        }
    }

    private async Task<string?> FindProblemAsync(CancellationToken cancellationToken)
    {
        if (options.Value.MigrateOnStart)
            await migrator.MigrateAsync(cancellationToken);
        else if (!await migrator.IsCurrentAsync(cancellationToken))
            return "the schema is not migrated: run `KeycloakCreditBridge migrate` or set Storage:MigrateOnStart to true";
        if (await adoption.IsDueAsync(cancellationToken))
            return AdoptionMarkStore.Remedy;
        foreach (var condition in conditions)
        {
            if (await condition.FindProblemAsync(cancellationToken) is { } problem)
                return problem;
        }

        return null;
    }

    [LoggerMessage(EventId = 700, Level = LogLevel.Information, Message = "PostgreSQL is reachable and the schema is current.")]
    private partial void LogReady();

    [LoggerMessage(EventId = 701, Level = LogLevel.Warning, Message = "The schema is not ready and is checked again: {Reason}")]
    private partial void LogWaiting(string reason);

    [LoggerMessage(EventId = 702, Level = LogLevel.Critical,
        Message = "This program cannot work with the database's schema and ends: {Reason}")]
    private partial void LogRefused(string reason);
}

/// <summary>What a feature demands of the database before the service begins its work.</summary>
internal interface ISchemaCondition
{
    /// <summary>Why the service cannot begin yet, in one line; null when it can.</summary>
    Task<string?> FindProblemAsync(CancellationToken cancellationToken);
}
