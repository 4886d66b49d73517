using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Page.Settings;

/// <summary>Which replica does what only one does at a time.</summary>
internal sealed class LeaseListStore(NpgsqlDataSource dataSource)
{
    private const string ListSql = "select name, owner, held_until from leases where held_until > @Now order by name";

    public async Task<IReadOnlyList<ListedLease>> ListAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ListedLease>(
            new CommandDefinition(ListSql, new { Now = now }, cancellationToken: cancellationToken))];
    }
}

internal sealed record ListedLease(string Name, string Owner, DateTimeOffset HeldUntil);
