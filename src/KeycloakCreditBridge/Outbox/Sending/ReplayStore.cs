using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Outbox.Sending;

/// <summary>Endpoints as an operator reads them and has events sent again.</summary>
internal sealed class ReplayStore(NpgsqlDataSource dataSource, TimeProvider clock)
{
    /// <summary>Events beyond these are not counted.</summary>
    public const long MostCounted = 100_000;

    // Where an endpoint goes on.
    private const string PlaceSql =
        """
        select e.name, least(e.position, case when @Since::timestamptz is null then e.position else (
            select coalesce(min(o.seq) - 1, e.position) from outbox o where o.at >= @Since) end) as position
        from outbox_endpoints e
        where e.name = @Endpoint::text
        """;

    private const string ListSql =
        """
        select e.name, e.failing_since, e.disabled_at, e.succeeded_at, e.error,
            (select o.at from outbox o where o.seq > e.position order by o.seq limit 1) as oldest,
            (select count(*) from outbox_waiting w where w.endpoint = e.name and w.given_up_at is null) as waiting,
            (select count(*) from outbox_waiting w where w.endpoint = e.name and w.given_up_at is not null) as given_up
        from outbox_endpoints e
        where e.name = any (@Names::text[])
        order by e.name
        """;

    // Up to MostCounted of either kind, so that the answer comes at once also where a week of events is recorded.
    private const string CountSql =
        $"""
        with place as ({PlaceSql})
        select
            (select count(*) from (
                select from place p join outbox o on o.seq > p.position
                where o.type = any (@Types::text[])
                limit @Most::bigint) n)
            + (select count(*) from (
                select from place p join outbox_waiting w on w.endpoint = p.name and w.seq <= p.position
                where @Since is null
                limit @Most) n)
        """;

    // What waits after the place is sent with the rest. Without a time the endpoint goes on where it stands, and what was given up is tried
    // again.
    private const string ReplaySql =
        $"""
        with place as ({PlaceSql} for update of e),
        cleared as (
            delete from outbox_waiting w using place p where w.endpoint = p.name and w.seq > p.position),
        renewed as (
            update outbox_waiting w set due_at = @Now::timestamptz, failed_at = @Now, attempts = 0, given_up_at = null
            from place p
            where w.endpoint = p.name and w.seq <= p.position and @Since is null)
        update outbox_endpoints e set position = p.position, disabled_at = null, failing_since = null, error = null
        from place p
        where e.name = p.name
        returning (select count(*) from outbox o where o.seq > p.position)
        """;

    /// <summary>How endpoints of these names stand. Those that nothing was sent to yet are left out.</summary>
    public async Task<IReadOnlyList<EndpointStanding>> ListAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return
        [
            .. await connection.QueryAsync<EndpointStanding>(
                new CommandDefinition(ListSql, new { Names = names.ToArray() }, cancellationToken: cancellationToken)),
        ];
    }

    /// <summary>How many events <see cref="ReplayAsync"/> would have sent, up to <see cref="MostCounted"/>.</summary>
    public async Task<long> CountAsync(string endpoint, DateTimeOffset? since, string[] types, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var count = await connection.ExecuteScalarAsync<long>(new CommandDefinition(
            CountSql, new { Endpoint = endpoint, Since = since?.UtcDateTime, Types = types, Most = MostCounted },
            cancellationToken: cancellationToken));
        return Math.Min(count, MostCounted);
    }

    /// <summary>Has events sent to an endpoint again, in their order, and switches it on where it was disabled.</summary>
    /// <param name="endpoint">As the settings name it.</param>
    /// <param name="since">All events from this time on; null for those only that it has not taken.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <returns>How many recorded events are after its place; null where nothing is known of the endpoint.</returns>
    public async Task<long?> ReplayAsync(string endpoint, DateTimeOffset? since, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<long?>(new CommandDefinition(
            ReplaySql, new { Endpoint = endpoint, Since = since?.UtcDateTime, Now = clock.GetUtcNow().UtcDateTime },
            cancellationToken: cancellationToken));
    }
}

/// <param name="Oldest">When the first event that was not sent yet was recorded; null where all were.</param>
/// <param name="Waiting">Events that are sent again.</param>
/// <param name="GivenUp">Events that are not sent again by themselves.</param>
internal sealed record EndpointStanding(
    string Name, DateTimeOffset? FailingSince, DateTimeOffset? DisabledAt, DateTimeOffset? SucceededAt, string? Error,
    DateTimeOffset? Oldest, long Waiting, long GivenUp);
