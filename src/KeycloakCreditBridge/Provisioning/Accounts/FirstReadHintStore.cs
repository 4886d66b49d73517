using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>
/// Leaves hints in the transaction of a first read. Whatever a concurrent hint or first read did from an older snapshot, the worker that
/// claims this hint sees both and brings the account to Keycloak's state.
/// </summary>
internal static class FirstReadHintStore
{
    // A user without an account needs no second reading, unless a newer one overtook this. A hint that a worker holds gets a new version,
    // so that the worker completes nothing.
    private const string LeaveSql =
        $"""
        with hinted as (
            insert into user_hints as h (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, attempts)
            select i.realm, i.keycloak_id, nextval('user_hints_version'), i.source, '{HintCauses.FirstRead}', 'changed', @Now::timestamptz,
                @Now, 0
            from unnest(@Realms::text[], @KeycloakIds::text[], @ReadAts::timestamptz[], @Sources::text[]) as i (realm, keycloak_id, read_at,
                source)
            join keycloak_users k on k.realm = i.realm and k.keycloak_id = i.keycloak_id
            where k.checked_at > i.read_at or exists (select from user_credits c where c.user_id = k.account_id)
            order by i.realm collate "C", i.keycloak_id collate "C"
            on conflict (realm, keycloak_id) do update set
                version = excluded.version, source = excluded.source, cause = excluded.cause, hinted_at = excluded.hinted_at,
                due_at = excluded.due_at, attempts = 0, state = 'waiting', error = null
            returning 1
        )
        select count(pg_notify('{HintStore.Channel}', ''))::integer as notified where exists (select from hinted)
        """;

    /// <summary>Leaves a hint for each user of the batch who asks for one and has an account now.</summary>
    public static async Task LeaveAsync(
        NpgsqlConnection connection, IReadOnlyList<DesiredState> batch, DateTimeOffset now, CancellationToken cancellationToken)
    {
        DesiredState[] leaving = [.. batch.Where(item => item.LeavesHint)];
        if (leaving.Length == 0)
            return;
        await connection.QueryPreparedAsync<int>(
            LeaveSql,
            [
                leaving.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                leaving.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                leaving.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
                leaving.Column("Sources", NpgsqlDbType.Text, item => item.Source),
                new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
            ],
            cancellationToken);
    }
}
