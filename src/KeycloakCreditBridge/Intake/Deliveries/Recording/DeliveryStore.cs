using Dapper;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>Writes the tables of deliveries, and keeps their days.</summary>
internal sealed class DeliveryStore(NpgsqlDataSource dataSource)
{
    // What came in is lost with the server's crash at worst: no webhook waits for it, and no commit of it waits for the disk.
    private const string AddSql =
        """
        with added as (
            insert into deliveries (received_at, id, realm, way, format, event, keycloak_id, kind, outcome, reason, events, hints,
                duration_us, trace_id, body)
            select * from unnest(@ReceivedAts::timestamptz[], @Ids::uuid[], @Realms::text[], @Ways::text[], @Formats::text[],
                @EventTypes::text[], @KeycloakIds::text[], @Kinds::text[], @Outcomes::text[], @Reasons::text[], @Events::integer[],
                @Hints::integer[], @Durations::bigint[], @TraceIds::text[], @Bodies::text[])
            on conflict (received_at, id) do nothing)
        select length(set_config('synchronous_commit', 'off', true)) as off
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

    /// <summary>Writes deliveries; repeating it does no harm. A day that is not there is made.</summary>
    /// <exception cref="NpgsqlException">The database did not take them.</exception>
    public async Task AddAsync(IReadOnlyList<RecordedDelivery> deliveries, CancellationToken cancellationToken)
    {
        try
        {
            await InsertAsync(deliveries, cancellationToken);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.CheckViolation)
        {
            foreach (var day in deliveries.Select(delivery => delivery.ReceivedAt.UtcDateTime.Date).Distinct().Order())
                await MakeDaysAsync(new DateTimeOffset(day, TimeSpan.Zero), cancellationToken);
            await InsertAsync(deliveries, cancellationToken);
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

    private async Task InsertAsync(IReadOnlyList<RecordedDelivery> deliveries, CancellationToken cancellationToken) =>
        await dataSource.QueryPreparedAsync<int>(
            AddSql,
            [
                deliveries.Column("ReceivedAts", NpgsqlDbType.TimestampTz, delivery => delivery.ReceivedAt.UtcDateTime),
                deliveries.Column("Ids", NpgsqlDbType.Uuid, delivery => delivery.Id),
                deliveries.Column("Realms", NpgsqlDbType.Text, delivery => delivery.Realm),
                deliveries.Column("Ways", NpgsqlDbType.Text, delivery => delivery.Way),
                deliveries.Column("Formats", NpgsqlDbType.Text, delivery => delivery.Format),
                deliveries.Column("EventTypes", NpgsqlDbType.Text, delivery => delivery.Event),
                deliveries.Column("KeycloakIds", NpgsqlDbType.Text, delivery => delivery.KeycloakId),
                deliveries.Column("Kinds", NpgsqlDbType.Text, delivery => delivery.Kind),
                deliveries.Column("Outcomes", NpgsqlDbType.Text, delivery => delivery.Outcome),
                deliveries.Column("Reasons", NpgsqlDbType.Text, delivery => delivery.Reason),
                deliveries.Column("Events", NpgsqlDbType.Integer, delivery => delivery.Events),
                deliveries.Column("Hints", NpgsqlDbType.Integer, delivery => delivery.Hints),
                deliveries.Column("Durations", NpgsqlDbType.Bigint, delivery => (long)delivery.Duration.TotalMicroseconds),
                deliveries.Column("TraceIds", NpgsqlDbType.Text, delivery => delivery.TraceId),
                deliveries.Column("Bodies", NpgsqlDbType.Text, delivery => delivery.Body),
            ],
            cancellationToken);

    private async Task<int> ExecuteAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<int>(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken));
    }
}
