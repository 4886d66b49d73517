using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Metering.Gate;

/// <summary>Reads accounts for the gate.</summary>
internal sealed class GateStore(NpgsqlDataSource dataSource)
{
    private const string FindSql =
        """
        select c.status, c.credits_remaining, c.unlimited, c.last_reset as period_end
        from user_credits c
        where c.user_id = coalesce(
            (select k.account_id from keycloak_users k
            join user_credits o on o.user_id = k.account_id
            where k.realm = any (@Realms::text[]) and k.keycloak_id = @UserId::text
                and (o.keycloak_id is null or o.realm = k.realm and o.keycloak_id = k.keycloak_id)
            order by k.realm limit 1),
            @UserId)
        """;

    /// <summary>The account of a user, named by Keycloak id or account id; null without one.</summary>
    public async Task<GatedAccount?> FindAsync(string userId, string[] realms, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<GatedAccount>(
            FindSql,
            [
                new NpgsqlParameter("UserId", NpgsqlDbType.Text) { Value = userId },
                new NpgsqlParameter("Realms", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = realms },
            ],
            cancellationToken)).SingleOrDefault();
}

/// <summary>The facts that decide.</summary>
internal sealed record GatedAccount(string Status, decimal CreditsRemaining, bool Unlimited, DateTimeOffset? PeriodEnd);
