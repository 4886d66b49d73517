using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Makes hints of times that came, so that each is evaluated however often a replica is killed.</summary>
internal sealed class ScheduledEvaluationStore(NpgsqlDataSource dataSource)
{
    private const string HintSql =
        $"""
        with due as (
            delete from scheduled_evaluations where ctid = any (array(
                select s.ctid from scheduled_evaluations s where s.due_at <= @Now::timestamptz
                order by s.due_at limit @Limit::integer for update skip locked))
            returning realm, keycloak_id
        ),
        hinted as (
            insert into user_hints as h (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, attempts)
            select d.realm, d.keycloak_id, nextval('user_hints_version'), '{HintSources.Schedule}', '{HintCauses.Scheduled}', 'changed',
                @Now, @Now, 0
            from (select distinct realm, keycloak_id from due) d
            order by d.realm collate "C", d.keycloak_id collate "C"
            on conflict (realm, keycloak_id) do update set
                version = excluded.version, hinted_at = h.hinted_at, due_at = excluded.due_at, attempts = 0, state = 'waiting', error = null
            returning 1
        )
        select count(*)::integer as evaluations, (select count(pg_notify('{HintStore.Channel}', '')) from hinted)::integer as notified
        from due
        """;

    /// <summary>How many times came.</summary>
    public async Task<int> HintAsync(DateTimeOffset now, int limit, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<Hinted>(
            HintSql,
            [
                new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
                new NpgsqlParameter("Limit", NpgsqlDbType.Integer) { Value = limit },
            ],
            cancellationToken))[0].Evaluations;

    private sealed record Hinted(int Evaluations, int Notified);
}
