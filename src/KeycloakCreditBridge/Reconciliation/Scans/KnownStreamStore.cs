using System.Runtime.CompilerServices;
using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>Everybody of a realm who is on record, one after the other.</summary>
internal sealed class KnownStreamStore(NpgsqlDataSource dataSource)
{
    // COPY takes no parameters: they are put in as literals. What counts as settled is what AccountReviewStore.SettledSql says.
    private const string CopySql =
        """
        select k.keycloak_id, k.disposition, k.checked_at,
            case k.disposition
                when 'account' then c.user_id is not null and k.reason is null
                    and (c.status = 'active' or c.status_reason is null or c.status_reason not in ('disabled', 'deleted', 'account_id_taken'))
                when 'held' then c.user_id is not null and k.reason is null and c.status <> 'active' and c.status_reason is distinct from 'deleted'
                else true end as stands
        from keycloak_users k
        left join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
        where k.realm = @Realm and k.disposition <> 'deleted' and k.keycloak_id > @After
        order by k.keycloak_id
        """;

    private const string ReadingAll = "set local enable_seqscan = on; set local work_mem = '64MB'";

    /// <summary>In the order of their ids' bytes.</summary>
    public async IAsyncEnumerable<KnownUser> CopyAsync(string realm, string after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var select = CopySql.Replace("@Realm", Literal(realm), StringComparison.Ordinal).Replace("@After", Literal(after), StringComparison.Ordinal);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        // For this one statement, which reads everybody, and not row by row.
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(ReadingAll, transaction: transaction, cancellationToken: cancellationToken));
        await using var rows = await connection.BeginBinaryExportAsync($"copy ({select}) to stdout (format binary)", cancellationToken);
        // The first row may wait for the sorting of all.
        rows.Timeout = TimeSpan.FromMinutes(10);
        while (await rows.StartRowAsync(cancellationToken) >= 0)
            yield return Row(rows);
    }

    // Rows are short and most have arrived: waiting for each value costs more than reading it.
    private static KnownUser Row(NpgsqlBinaryExporter rows) => new(rows.Read<string>(), rows.Read<string>(), rows.Read<DateTime>(), rows.Read<bool>());

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}

/// <summary>A user on record.</summary>
/// <param name="CheckedAt">When Keycloak was asked last.</param>
/// <param name="Stands">Whether the account is as the disposition says.</param>
internal readonly record struct KnownUser(string KeycloakId, string Disposition, DateTime CheckedAt, bool Stands);
