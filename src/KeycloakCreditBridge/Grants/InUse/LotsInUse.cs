using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Migrations;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Grants.InUse;

/// <summary>
/// Lets no program work on the database that would spend ended credits. The first end waits until all live replicas know lots, and from
/// then on an older program refuses the schema.
/// </summary>
internal sealed class LotsInUse(NpgsqlDataSource dataSource, IOptions<GrantsOptions> options) : ISchemaCondition
{
    private volatile bool _isEnsured;

    /// <summary>Why the service cannot begin: settings give ends, and replicas run that do not know lots.</summary>
    public async Task<string?> FindProblemAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.HasEnds)
            return null;
        try
        {
            await EnsureAsync(cancellationToken);
            return null;
        }
        catch (OlderReplicasException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>To be called before an end is written; it costs nothing from the second time on.</summary>
    /// <exception cref="OlderReplicasException">A live replica does not know lots.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (_isEnsured)
            return;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await LotsInUseStore.RequireAsync(connection, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        _isEnsured = true;
    }

    /// <summary>
    /// Lets a program from before lots use the database again. Refused while credits have an end, which it would not know, or while the
    /// service runs.
    /// </summary>
    /// <returns>Why it is refused; null when it is done.</returns>
    public async Task<string?> ReleaseAsync(CancellationToken cancellationToken)
    {
        if (options.Value.HasEnds)
            return "Settings give credits an end: remove each ExpiresAfter of section Grants first.";
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        try
        {
            if (await LotsInUseStore.ReleaseAsync(connection, cancellationToken) is { } obstacle)
                return obstacle;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return "This role does not own the tables: run `migrate --before-lots` as the role that migrates.";
        }

        await transaction.CommitAsync(cancellationToken);
        return null;
    }
}
