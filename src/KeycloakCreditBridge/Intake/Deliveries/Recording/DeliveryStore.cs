using Dapper;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>Writes the tables of deliveries, and keeps their days.</summary>
internal sealed class DeliveryStore(NpgsqlDataSource dataSource)
{
    // What came in is lost with the server's crash at worst: no webhook waits for it, and no commit of it waits for the disk.
    private const string NoWait = "set local synchronous_commit = off";

    private const string CopySql =
        """
        copy deliveries (received_at, id, realm, way, format, event, keycloak_id, kind, outcome, reason, events, hints, duration_us,
            trace_id, body) from stdin (format binary)
        """;

    private const string CountSql =
        """
        insert into unproven_deliveries as u (minute, realm, reason, count, sample)
        select * from unnest(@Minutes::timestamptz[], @Realms::text[], @Reasons::text[], @Counts::bigint[], @Samples::jsonb[])
            as c (minute, realm, reason, count, sample)
        order by minute, realm collate "C", reason collate "C"
        on conflict (minute, realm, reason) do update set count = u.count + excluded.count
        """;

    private const string MakeDaysSql = "select credit_make_delivery_days(@Now::timestamptz)";

    private const string DropDaysSql = "select credit_drop_delivery_days(@FirstKept::date)";

    private const string PurgeCountsSql = "delete from unproven_deliveries where minute < @Before";

    /// <summary>
    /// Writes deliveries, all or none; a day that is not there is made. One that stands already is refused with its group, and taken alone.
    /// </summary>
    /// <exception cref="NpgsqlException">The database did not take them.</exception>
    public async Task AddAsync(IReadOnlyList<RecordedDelivery> deliveries, CancellationToken cancellationToken)
    {
        try
        {
            await CopyAsync(deliveries, cancellationToken);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.CheckViolation)
        {
            foreach (var day in deliveries.Select(delivery => delivery.ReceivedAt.UtcDateTime.Date).Distinct().Order())
                await MakeDaysAsync(new DateTimeOffset(day, TimeSpan.Zero), cancellationToken);
            await CopyAsync(deliveries, cancellationToken);
        }
        catch (PostgresException exception) when (
            exception.SqlState == PostgresErrorCodes.UniqueViolation && deliveries.Count == 1)
        {
            // An earlier try was committed, and its answer was lost.
        }
    }

    public async Task CountAsync(IReadOnlyCollection<UnprovenCount> counts, CancellationToken cancellationToken) =>
        await dataSource.QueryPreparedAsync<int>(
            CountSql,
            [
                counts.Column("Minutes", NpgsqlDbType.TimestampTz, count => count.Minute.UtcDateTime),
                counts.Column("Realms", NpgsqlDbType.Text, count => count.Realm),
                counts.Column("Reasons", NpgsqlDbType.Text, count => count.Reason),
                counts.Column("Counts", NpgsqlDbType.Bigint, count => count.Count),
                counts.Column("Samples", NpgsqlDbType.Jsonb, count => count.Sample),
            ],
            cancellationToken);

    /// <summary>Makes the days around this time.</summary>
    public Task MakeDaysAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        ExecuteAsync(MakeDaysSql, new { Now = now }, cancellationToken);

    /// <summary>Drops all before this day, and returns how many days that were.</summary>
    public async Task<int> DropDaysAsync(DateOnly firstKept, CancellationToken cancellationToken)
    {
        await ExecuteAsync(
            PurgeCountsSql, new { Before = new DateTimeOffset(firstKept, TimeOnly.MinValue, TimeSpan.Zero) }, cancellationToken);
        return await ExecuteAsync(DropDaysSql, new { FirstKept = firstKept }, cancellationToken);
    }

    private async Task CopyAsync(IReadOnlyList<RecordedDelivery> deliveries, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(NoWait, transaction: transaction, cancellationToken: cancellationToken));
        await using (var writer = await connection.BeginBinaryImportAsync(CopySql, cancellationToken))
        {
            foreach (var delivery in deliveries)
                await writer.WriteRowAsync(
                    cancellationToken, delivery.ReceivedAt.UtcDateTime, delivery.Id, delivery.Realm, delivery.Way, delivery.Format,
                    delivery.Event, delivery.KeycloakId, delivery.Kind, delivery.Outcome, delivery.Reason, delivery.Events,
                    delivery.Hints, (long)delivery.Duration.TotalMicroseconds, delivery.TraceId, delivery.Body);
            await writer.CompleteAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    private async Task<int> ExecuteAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<int>(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken));
    }
}
