using Dapper;
using KeycloakCreditBridge.Metering.Reports.Records;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Keeps gateway reports until each record in them is charged or refused.</summary>
internal sealed class UsageReportStore(NpgsqlDataSource dataSource)
{
    private const string AddSql =
        "insert into usage_batches (body, received_at, due_at) values (@Body, @Now::timestamptz, @Now)";

    private const string ClaimSql =
        """
        select id, body, received_at, attempts from usage_batches where due_at <= @Now::timestamptz
        order by due_at limit 1 for update skip locked
        """;

    private const string ReclaimSql = "select id from usage_batches where id = @Id for update skip locked";

    private const string CompleteSql = "delete from usage_batches where id = @Id";

    private const string PostponeSql =
        """
        insert into usage_batches (body, received_at, due_at, attempts)
        values (@Body, @ReceivedAt::timestamptz, @DueAt::timestamptz, @Attempts)
        """;

    private const string RefuseSql =
        """
        insert into usage_refusals (record, error, refused_at)
        select record, error, @Now::timestamptz from unnest(@Records::bytea[], @Errors::text[]) as r (record, error)
        """;

    private const string PurgeSql =
        """
        delete from usage_records
        where ctid = any (array(select ctid from usage_records where charged_at < @Before limit @Limit for update skip locked))
        """;

    private const string PurgeRefusalsSql =
        """
        delete from usage_refusals
        where ctid = any (array(select ctid from usage_refusals where refused_at < @Before limit @Limit for update skip locked))
        """;

    private const string BacklogSql = "select count(*) as waiting, min(due_at) as first_due_at from usage_batches";

    /// <summary>Deletes at most <paramref name="limit"/> records charged before then, and returns how many.</summary>
    public Task<int> PurgeAsync(DateTimeOffset before, int limit, CancellationToken cancellationToken) =>
        PurgeAsync(PurgeSql, before, limit, cancellationToken);

    /// <summary>The same for refused records.</summary>
    public Task<int> PurgeRefusalsAsync(DateTimeOffset before, int limit, CancellationToken cancellationToken) =>
        PurgeAsync(PurgeRefusalsSql, before, limit, cancellationToken);

    /// <summary>Counts waiting reports.</summary>
    public async Task<ReportBacklog> BacklogAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<ReportBacklog>(new CommandDefinition(BacklogSql, cancellationToken: cancellationToken));
    }

    /// <summary>Returns when the report is committed.</summary>
    public async Task AddAsync(ReadOnlyMemory<byte> body, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(AddSql);
        command.Parameters.Add(new NpgsqlParameter("Body", NpgsqlDbType.Bytea) { Value = body });
        command.Parameters.Add(new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The next report that is due and not claimed, or null. The claim lasts until the transaction ends.</summary>
    public static async Task<UsageReport?> ClaimAsync(
        NpgsqlTransaction transaction, DateTimeOffset now, CancellationToken cancellationToken) =>
        await transaction.Connection!.QuerySingleOrDefaultAsync<UsageReport>(
            new CommandDefinition(ClaimSql, new { Now = now.UtcDateTime }, transaction, cancellationToken: cancellationToken));

    public static Task CompleteAsync(NpgsqlTransaction transaction, UsageReport batch, CancellationToken cancellationToken) =>
        transaction.Connection!.ExecuteAsync(
            new CommandDefinition(CompleteSql, new { batch.Id }, transaction, cancellationToken: cancellationToken));

    /// <summary>Claims a report again whose claim was rolled back; false when it is processed or claimed by another process.</summary>
    public static async Task<bool> ReclaimAsync(NpgsqlTransaction transaction, UsageReport batch, CancellationToken cancellationToken) =>
        await transaction.Connection!.ExecuteScalarAsync(
            new CommandDefinition(ReclaimSql, new { batch.Id }, transaction, cancellationToken: cancellationToken)) is not null;

    /// <summary>Keeps some records of a report for later, as a report of their own with the same age.</summary>
    public static Task PostponeAsync(
        NpgsqlTransaction transaction, UsageReport batch, IEnumerable<UsageRecord> records, DateTimeOffset dueAt,
        CancellationToken cancellationToken) =>
        transaction.Connection!.ExecuteAsync(new CommandDefinition(
            PostponeSql,
            new
            {
                Body = UsageReader.Join(records),
                ReceivedAt = batch.ReceivedAt.UtcDateTime,
                DueAt = dueAt.UtcDateTime,
                Attempts = batch.Attempts + 1,
            },
            transaction,
            cancellationToken: cancellationToken));

    public static Task RefuseAsync(
        NpgsqlTransaction transaction, IReadOnlyCollection<RefusedRecord> refused, DateTimeOffset now,
        CancellationToken cancellationToken) =>
        transaction.Connection!.ExecuteAsync(new CommandDefinition(
            RefuseSql,
            new
            {
                Records = refused.Select(item => item.Raw).ToArray(),
                Errors = refused.Select(item => item.Error).ToArray(),
                Now = now.UtcDateTime,
            },
            transaction,
            cancellationToken: cancellationToken));

    private async Task<int> PurgeAsync(string sql, DateTimeOffset before, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new CommandDefinition(
            sql, new { Before = before.UtcDateTime, Limit = limit }, cancellationToken: cancellationToken));
    }
}

/// <summary>A gateway report.</summary>
/// <param name="Attempts">How often it was tried and not completed.</param>
internal sealed record UsageReport(long Id, byte[] Body, DateTimeOffset ReceivedAt, int Attempts);
