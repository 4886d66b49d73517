using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Reconciliation.Tasks;

/// <summary>Users who may still earn credits by a task.</summary>
internal sealed class UndoneTaskStore(NpgsqlDataSource dataSource)
{
    private const string AfterSql =
        """
        select k.keycloak_id
        from keycloak_users k
        join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
        where k.realm = @Realm::text and k.keycloak_id > @After::text and c.status <> 'closed' and c.created_at >= @OpenedSince::timestamptz
            and exists (
                select from unnest(@Tasks::text[]) as task (key)
                where not exists (select from credit_transactions t where t.user_id = c.user_id and t.grant_key = task.key))
        order by k.keycloak_id
        limit @Most::integer
        """;

    /// <summary>Ids of users with an account that was not paid for one of the tasks, some at a time.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="after">The last id before them; empty for the first.</param>
    /// <param name="openedSince">Accounts opened before are left out.</param>
    /// <param name="tasks">Keys of the tasks' grants.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public Task<IReadOnlyList<string>> AfterAsync(
        string realm, string after, DateTimeOffset openedSince, IEnumerable<string> tasks, int most, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<string>(
            AfterSql,
            [
                new("Realm", NpgsqlDbType.Text) { Value = realm },
                new("After", NpgsqlDbType.Text) { Value = after },
                new("OpenedSince", NpgsqlDbType.TimestampTz) { Value = openedSince.UtcDateTime },
                new("Tasks", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = tasks.ToArray() },
                new("Most", NpgsqlDbType.Integer) { Value = most },
            ],
            cancellationToken);
}
