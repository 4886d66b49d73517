using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Hosting.Schedule;

/// <summary>Where Quartz keeps the schedule. Each schema that holds accounts has a schedule of its own.</summary>
internal sealed class ScheduleStore(NpgsqlDataSource dataSource)
{
    // An installation in the schema public has its schedule in a schema of its own; any other one beside its accounts.
    private const string PlaceSql =
        """
        select case n.nspname when 'public' then 'quartz' else n.nspname end
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid = to_regclass('user_credits')
        """;

    private const string MissingSql =
        """
        select count(*) from unnest(@Tables::text[]) as t (name)
        where not exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = @Schema::text and c.relname = t.name)
        """;

    // Columns that Quartz 4 has and its earlier versions, and Java's, have not.
    private const string ForeignSql =
        """
        select c.relname
        from (values ('qrtz_triggers', 'execution_group'), ('qrtz_triggers', 'sched_name'), ('qrtz_fired_triggers', 'execution_group'),
                ('qrtz_job_details', 'sched_name'), ('qrtz_scheduler_state', 'sched_name')) as e (relation, attribute)
        join pg_class c on c.relname = e.relation
        join pg_namespace n on n.oid = c.relnamespace and n.nspname = @Schema::text
        where not exists (
            select from pg_attribute a where a.attrelid = c.oid and a.attname = e.attribute and a.attnum > 0 and not a.attisdropped)
        order by 1
        limit 1
        """;

    // The newest sign of life of any replica that runs the schedule, in ticks of .NET.
    private static string CheckedInSql(SchedulePlace place) => $"select max(last_checkin_time) from {place.Prefix}scheduler_state";

    private static readonly string[] Tables =
    [
        "qrtz_job_details", "qrtz_triggers", "qrtz_simple_triggers", "qrtz_simprop_triggers", "qrtz_cron_triggers", "qrtz_blob_triggers",
        "qrtz_calendars", "qrtz_paused_trigger_grps", "qrtz_fired_triggers", "qrtz_scheduler_state", "qrtz_locks",
    ];

    /// <summary>The schema of the schedule, and whether a table is missing there.</summary>
    /// <exception cref="ScheduleException">The schema is not migrated, or another program's tables have these names.</exception>
    public async Task<SchedulePlace> FindAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var schema = await connection.ExecuteScalarAsync<string?>(new CommandDefinition(PlaceSql, cancellationToken: cancellationToken))
            ?? throw new ScheduleException("the schema is not migrated: run `KeycloakCreditBridge migrate`");
        var parameters = new { Schema = schema, Tables };
        if (await connection.ExecuteScalarAsync<string?>(Command(ForeignSql)) is { } foreign)
        {
            throw new ScheduleException(
                $"the table {schema}.{foreign} belongs to another program or to another version of Quartz: move it to another schema, or "
                + "give the bridge a schema of its own by `Search Path` in Storage:ConnectionString");
        }

        return new SchedulePlace(schema, await connection.ExecuteScalarAsync<long>(Command(MissingSql)) > 0);

        CommandDefinition Command(string sql) => new(sql, parameters, cancellationToken: cancellationToken);
    }

    /// <summary>When a replica that runs the schedule last showed that it lives; null when none does.</summary>
    /// <exception cref="ScheduleException">The schedule cannot be kept where it should be.</exception>
    public async Task<DateTimeOffset?> CheckedInAsync(CancellationToken cancellationToken)
    {
        var place = await FindAsync(cancellationToken);
        if (place.IsIncomplete)
            return null;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long?>(new CommandDefinition(CheckedInSql(place), cancellationToken: cancellationToken))
            is { } ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;
    }
}

/// <param name="Schema">The schema of Quartz's tables.</param>
/// <param name="IsIncomplete">Whether one of them is missing.</param>
internal sealed record SchedulePlace(string Schema, bool IsIncomplete)
{
    /// <summary>What the names of the tables begin with, as SQL.</summary>
    public string Prefix => $"\"{Schema.Replace("\"", "\"\"", StringComparison.Ordinal)}\".qrtz_";
}

/// <summary>The schedule cannot be kept where it should be.</summary>
internal sealed class ScheduleException(string message) : Exception(message);
