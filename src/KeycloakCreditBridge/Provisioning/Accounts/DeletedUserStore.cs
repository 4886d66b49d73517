using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>Users on record as deleted that never had an account.</summary>
internal sealed class DeletedUserStore(NpgsqlDataSource dataSource)
{
    private const string PurgeSql =
        """
        delete from keycloak_users
        where ctid = any (array(
            select ctid from keycloak_users
            where user_state = 'deleted' and account_id is null and checked_at < @Before::timestamptz
            limit @Limit
            for update skip locked))
        """;

    /// <summary>Deletes at most <paramref name="limit"/> records of users found deleted before then, and returns how many.</summary>
    public async Task<int> PurgeAsync(DateTimeOffset before, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new CommandDefinition(
            PurgeSql, new { Before = before.UtcDateTime, Limit = limit }, cancellationToken: cancellationToken));
    }
}
