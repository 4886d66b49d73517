using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>What is held about tasks that are not paid, in the transaction that evaluated them.</summary>
internal static class TaskEvidenceStore
{
    private const string KeepSql =
        """
        with kept as (
            insert into task_evidence (user_id, task, kind, seen_at)
            select c.user_id, w.task, 'settling', w.seen_at
            from unnest(@Realms::text[], @KeycloakIds::text[], @Tasks::text[], @SeenAts::timestamptz[])
                as w (realm, keycloak_id, task, seen_at)
            join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
            join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
            order by c.user_id collate "C", w.task collate "C"
            on conflict (user_id, task) do nothing
        )
        insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
        select w.realm, w.keycloak_id, 'task:' || w.task, w.due_at
        from unnest(@Realms, @KeycloakIds, @Tasks, @DueAts::timestamptz[]) as w (realm, keycloak_id, task, due_at)
        order by w.realm collate "C", w.keycloak_id collate "C", w.task collate "C"
        on conflict (realm, keycloak_id, what) do update set due_at = excluded.due_at
        """;

    private const string ScheduleSql =
        """
        insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
        select w.realm, w.keycloak_id, w.what, w.due_at
        from unnest(@Realms::text[], @KeycloakIds::text[], @Whats::text[], @DueAts::timestamptz[]) as w (realm, keycloak_id, what, due_at)
        order by w.realm collate "C", w.keycloak_id collate "C", w.what collate "C"
        on conflict (realm, keycloak_id, what) do update set due_at = excluded.due_at
        """;

    private const string UndoSql =
        """
        delete from task_evidence e
        using unnest(@Realms::text[], @KeycloakIds::text[], @Tasks::text[]) as w (realm, keycloak_id, task)
        join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
        where e.user_id = k.account_id and e.task = w.task and e.kind = 'settling'
        """;

    /// <summary>Keeps since when evidence stands, with the time at which it is read again; forgets what did not stand.</summary>
    public static async Task KeepAsync(
        NpgsqlConnection connection, IReadOnlyCollection<TaskEvidence> evidence, CancellationToken cancellationToken)
    {
        TaskEvidence[] standing = [.. evidence.Where(item => item.DueAt is not null)];
        TaskEvidence[] undone = [.. evidence.Where(item => item.DueAt is null)];
        if (standing.Length > 0)
        {
            await connection.QueryPreparedAsync<int>(
                KeepSql,
                [
                    .. Columns(standing),
                    standing.Column("SeenAts", NpgsqlDbType.TimestampTz, item => item.SeenAt.UtcDateTime),
                    standing.Column("DueAts", NpgsqlDbType.TimestampTz, item => item.DueAt!.Value.UtcDateTime),
                ],
                cancellationToken);
        }

        if (undone.Length > 0)
            await connection.QueryPreparedAsync<int>(UndoSql, Columns(undone), cancellationToken);
    }

    /// <summary>Has users evaluated again at a time.</summary>
    public static Task ScheduleAsync(
        NpgsqlConnection connection, IReadOnlyCollection<ScheduledTime> times, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            ScheduleSql,
            [
                times.Column("Realms", NpgsqlDbType.Text, time => time.Realm),
                times.Column("KeycloakIds", NpgsqlDbType.Text, time => time.KeycloakId),
                times.Column("Whats", NpgsqlDbType.Text, time => time.What),
                times.Column("DueAts", NpgsqlDbType.TimestampTz, time => time.DueAt.UtcDateTime),
            ],
            cancellationToken);

    private static NpgsqlParameter[] Columns(TaskEvidence[] evidence) =>
    [
        evidence.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
        evidence.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
        evidence.Column("Tasks", NpgsqlDbType.Text, item => item.Task),
    ];
}

/// <param name="SeenAt">Since when the evidence stands.</param>
/// <param name="DueAt">When it is read again; null where it did not stand.</param>
internal sealed record TaskEvidence(string Realm, string KeycloakId, string Task, DateTimeOffset SeenAt, DateTimeOffset? DueAt);

/// <param name="What">The policy that waits for the time.</param>
internal sealed record ScheduledTime(string Realm, string KeycloakId, string What, DateTimeOffset DueAt);
