using Dapper;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Hints;

/// <summary>The table of hints: one row a user, however many hints came.</summary>
internal sealed class HintStore(NpgsqlDataSource dataSource)
{
    /// <summary>The channel on which replicas notify each other that hints wait.</summary>
    public const string Channel = "user_hints";

    // Sorted, because two batches that lock the same rows in different orders deadlock. Senders keep no order: a late change does not hide
    // that the user was deleted, and a late login neither hides that the user was changed or deleted, nor restarts the attempts of a hint
    // that cannot succeed. A user that signs in is neither disabled nor deleted: where the record has such a state, Keycloak changed it
    // without an event, as after an outage of a directory.
    // A first read, after which a missing user is a deleted one, stays the cause until the hint is completed.
    private const string Added =
        $"""
        with added as (
            insert into user_hints as waiting (
                realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, attempts, traceparent)
            select h.realm, h.keycloak_id, nextval('user_hints_version'), h.source, h.cause, h.kind, @Now::timestamptz,
                coalesce(@LeaseEnd::timestamptz, @Now), case when @LeaseEnd is null then 0 else 1 end,
                h.traceparent
            from unnest(@Realms::text[], @KeycloakIds::text[], @Sources::text[], @Causes::text[], @Kinds::text[], @Traceparents::text[])
                as h (realm, keycloak_id, source, cause, kind, traceparent)
            where h.kind <> 'seen' or not exists (
                select from keycloak_users k
                where k.realm = h.realm and k.keycloak_id = h.keycloak_id and k.checked_at > @SeenAfter
                    and k.user_state <> 'deleted' and not (k.user_state = 'held' and k.reason is null))
            order by h.realm collate "C", h.keycloak_id collate "C"
            on conflict (realm, keycloak_id) do update set
                version = excluded.version, source = excluded.source,
                cause = case when excluded.kind = 'seen' or waiting.cause = '{HintCauses.FirstRead}' then waiting.cause
                    when excluded.kind = 'changed' and (waiting.kind = 'deleted' or waiting.cause = '{HintCauses.ReportedDeleted}')
                        then '{HintCauses.ReportedDeleted}'
                    else excluded.cause end,
                kind = case excluded.kind when 'seen' then waiting.kind else excluded.kind end,
                hinted_at = case when excluded.kind = 'seen' and waiting.state = 'waiting' then waiting.hinted_at
                    else excluded.hinted_at end,
                attempts = case when excluded.kind = 'seen' and waiting.state = 'waiting' then waiting.attempts
                    else 0 end + excluded.attempts,
                due_at = excluded.due_at, state = 'waiting', error = null,
                traceparent = coalesce(excluded.traceparent, waiting.traceparent)
            returning realm, keycloak_id, version, source, cause, kind, hinted_at, attempts, traceparent)
        """;

    private const string Stored =
        """
        select a.* from added a
        cross join (select count(pg_notify('user_hints', '')) where @LeaseEnd is null and exists (select from added)) woken
        """;

    private const string AddSql = $"{Added} {Stored}";

    private const string AddOverwrittenSql =
        $"""
        {Added},
        overwritten as (
            insert into overwritten_users (realm, keycloak_id, overwritten_at)
            select distinct h.realm, h.keycloak_id, @Now::timestamptz
            from unnest(@Realms::text[], @KeycloakIds::text[], @Causes::text[], @Kinds::text[]) as h (realm, keycloak_id, cause, kind)
            where h.cause = '{HintCauses.Overwritten}' and h.kind = 'changed'
            order by h.realm, h.keycloak_id
            on conflict (realm, keycloak_id) do update set overwritten_at = excluded.overwritten_at)
        {Stored}
        """;

    // Counted before the attempt, so that a hint that crashes its worker is counted too. By row, as a kept plan that joins by key may read
    // the keys of the whole backlog for each claim.
    private const string ClaimSql =
        """
        update user_hints h
        set version = nextval('user_hints_version'), due_at = @LeaseEnd, attempts = h.attempts + 1
        where h.ctid = any (array(
            select w.ctid from user_hints w
            where w.state = 'waiting' and w.due_at <= @Now and (@Watched::text[] is null or w.realm = any (@Watched))
            order by w.due_at
            limit @Limit
            for update skip locked))
        returning h.realm, h.keycloak_id, h.version, h.source, h.cause, h.kind, h.hinted_at, h.attempts, h.traceparent
        """;

    // Waits for locks, as an older claim may hold these rows for a moment; sorted, so that waiting batches cannot deadlock.
    private const string PostponeSql =
        """
        with mine as (
            select h.ctid as row, p.due_at, p.attempts, p.dead, p.error
            from unnest(@Realms::text[], @KeycloakIds::text[], @Versions::bigint[], @DueAts::timestamptz[], @Attempts::integer[],
                    @Dead::boolean[], @Errors::text[])
                as p (realm, keycloak_id, version, due_at, attempts, dead, error)
            join user_hints h on h.realm = p.realm and h.keycloak_id = p.keycloak_id and h.version = p.version
            order by h.realm collate "C", h.keycloak_id collate "C"
            for update of h)
        update user_hints h
        set due_at = mine.due_at, attempts = mine.attempts, state = case when mine.dead then 'dead' else 'waiting' end, error = mine.error
        from mine
        where h.ctid = mine.row
        """;

    private const string UnwatchedSql =
        """
        select realm, count(*) as waiting, min(hinted_at) as oldest from user_hints
        where state = 'waiting' and realm <> all (@Watched::text[])
        group by realm
        order by realm
        """;

    private const string BacklogSql =
        """
        select count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'dead') as dead,
            min(hinted_at) filter (where state = 'waiting') as oldest
        from user_hints
        """;

    /// <summary>Stores hints, one a user, and returns those that were stored: a seen user that was evaluated lately needs none.</summary>
    /// <param name="hints">The hints.</param>
    /// <param name="now">When they came.</param>
    /// <param name="seenAfter">A user that was evaluated since is not evaluated for being seen.</param>
    /// <param name="leaseEnd">Until when the caller holds them, as if it had claimed them; null wakes all replicas, for one of them to
    /// claim them.</param>
    /// <param name="cancellationToken">Ends the storing.</param>
    public Task<IReadOnlyList<ClaimedHint>> AddAsync(
        IReadOnlyCollection<UserHint> hints, DateTimeOffset now, DateTimeOffset seenAfter, DateTimeOffset? leaseEnd,
        CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<ClaimedHint>(
            hints.Any(hint => hint.Cause == HintCauses.Overwritten) ? AddOverwrittenSql : AddSql,
            [
                hints.Column("Realms", NpgsqlDbType.Text, hint => hint.Realm),
                hints.Column("KeycloakIds", NpgsqlDbType.Text, hint => hint.UserId),
                hints.Column("Sources", NpgsqlDbType.Text, hint => hint.Source),
                hints.Column("Causes", NpgsqlDbType.Text, hint => hint.Cause),
                hints.Column("Kinds", NpgsqlDbType.Text, hint => Text(hint.Kind)),
                hints.Column("Traceparents", NpgsqlDbType.Text, hint => hint.Traceparent),
                Instant("Now", now),
                Instant("SeenAfter", seenAfter),
                Instant("LeaseEnd", leaseEnd),
            ],
            cancellationToken);

    /// <summary>Takes hints that are due, until <paramref name="leaseEnd"/>.</summary>
    /// <param name="limit">How many at most.</param>
    /// <param name="now">Hints that are due later wait.</param>
    /// <param name="leaseEnd">When another worker may take them.</param>
    /// <param name="watched">Only hints of these realms: another bridge evaluates the others. All where it is null.</param>
    /// <param name="cancellationToken">Ends the claim.</param>
    public Task<IReadOnlyList<ClaimedHint>> ClaimAsync(
        int limit, DateTimeOffset now, DateTimeOffset leaseEnd, IReadOnlyCollection<string>? watched,
        CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<ClaimedHint>(
            ClaimSql,
            [
                new NpgsqlParameter("Limit", limit), Instant("Now", now), Instant("LeaseEnd", leaseEnd),
                new NpgsqlParameter("Watched", NpgsqlDbType.Array | NpgsqlDbType.Text)
                {
                    Value = watched?.ToArray() ?? (object)DBNull.Value,
                },
            ],
            cancellationToken);

    /// <summary>Releases hints for a later attempt or dead-letters them, unless they were renewed or claimed meanwhile.</summary>
    public Task PostponeAsync(IReadOnlyCollection<PostponedHint> postponed, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<int>(
            PostponeSql,
            [
                postponed.Column("Realms", NpgsqlDbType.Text, item => item.Hint.Realm),
                postponed.Column("KeycloakIds", NpgsqlDbType.Text, item => item.Hint.KeycloakId),
                postponed.Column("Versions", NpgsqlDbType.Bigint, item => item.Hint.Version),
                postponed.Column("DueAts", NpgsqlDbType.TimestampTz, item => item.DueAt.UtcDateTime),
                postponed.Column("Attempts", NpgsqlDbType.Integer, item => item.Attempts),
                postponed.Column("Dead", NpgsqlDbType.Boolean, item => item.Dead),
                postponed.Column("Errors", NpgsqlDbType.Text, item => item.Error),
            ],
            cancellationToken);

    /// <summary>Waiting hints of realms other than these, by realm.</summary>
    public async Task<IReadOnlyList<UnwatchedHints>> UnwatchedAsync(
        IReadOnlyCollection<string> watched, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<UnwatchedHints>(
            new CommandDefinition(UnwatchedSql, new { Watched = watched.ToArray() }, cancellationToken: cancellationToken))];
    }

    /// <summary>How many hints wait, how many are dead, and since when the oldest waits.</summary>
    public async Task<HintBacklog> BacklogAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<HintBacklog>(new CommandDefinition(BacklogSql, cancellationToken: cancellationToken));
    }

    private static string Text(HintKind kind) => kind switch
    {
        HintKind.Changed => "changed",
        HintKind.Deleted => "deleted",
        HintKind.Seen => "seen",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "No such kind."),
    };

    private static NpgsqlParameter Instant(string name, DateTimeOffset? instant) =>
        new(name, NpgsqlDbType.TimestampTz) { Value = instant?.UtcDateTime ?? (object)DBNull.Value };
}

internal sealed record HintBacklog(long Waiting, long Dead, DateTimeOffset? Oldest);

/// <summary>Hints that wait for another bridge.</summary>
internal sealed record UnwatchedHints(string Realm, long Waiting, DateTimeOffset Oldest);
