using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>
/// Keeps what applications report. The evaluation that follows is scheduled with it, so that a kill in between loses nothing.
/// </summary>
internal sealed class TaskCompletionStore(NpgsqlDataSource dataSource)
{
    private const string KeepSql =
        """
        with target as (
            select c.user_id, c.realm, c.keycloak_id, c.status,
                (select t.user_id from credit_transactions t where t.user_id = c.user_id and t.grant_key = 'task:' || @Task::text)
                    is not null as is_given
            from user_credits c where c.user_id = @AccountId::text
        ),
        kept as (
            insert into task_evidence (user_id, task, kind, seen_at, client, detail)
            select t.user_id, @Task, 'reported', @Now::timestamptz, @Client::text, @Detail::jsonb
            from target t where t.status <> 'closed' and not t.is_given
            on conflict (user_id, task) do nothing
        ),
        scheduled as (
            insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
            select t.realm, t.keycloak_id, 'task:' || @Task, @Now
            from target t where t.status <> 'closed' and not t.is_given and t.keycloak_id is not null
            on conflict (realm, keycloak_id, what) do update set due_at = least(scheduled_evaluations.due_at, excluded.due_at)
        )
        select t.status, t.is_given from target t
        """;

    private const string GivenSql =
        """
        select t.amount from credit_transactions t where t.user_id = @AccountId::text and t.grant_key = 'task:' || @Task::text
        """;

    /// <summary>Keeps a completion, the first one of an account; null where there is no such account.</summary>
    public async Task<KeptCompletion?> KeepAsync(
        string accountId, string task, string client, string? detail, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<KeptCompletion>(
            KeepSql,
            [
                .. Parameters(accountId, task),
                new NpgsqlParameter("Client", NpgsqlDbType.Text) { Value = client },
                new NpgsqlParameter("Detail", NpgsqlDbType.Text) { Value = detail ?? (object)DBNull.Value },
                new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
            ],
            cancellationToken);
        return rows is [var kept] ? kept : null;
    }

    /// <summary>What the task paid the account; null where it did not.</summary>
    public async Task<decimal?> GivenAsync(string accountId, string task, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<Given>(GivenSql, Parameters(accountId, task), cancellationToken)) is [var given]
            ? given.Amount
            : null;

    private static NpgsqlParameter[] Parameters(string accountId, string task) =>
    [
        new("AccountId", NpgsqlDbType.Text) { Value = accountId },
        new("Task", NpgsqlDbType.Text) { Value = task },
    ];

    private sealed record Given(decimal Amount);
}

/// <param name="Status">The account's.</param>
/// <param name="IsGiven">Whether the task was paid before.</param>
internal sealed record KeptCompletion(string Status, bool IsGiven);
