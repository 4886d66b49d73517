using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Metering.Gate;

/// <summary>Reads accounts for the gate.</summary>
internal sealed class GateStore(NpgsqlDataSource dataSource, IOptions<ProvisioningOptions> provisioning)
{
    private const string FindSql =
        $"""
        select c.status, c.credits_remaining, c.unlimited,
            credit_period_end(c.last_reset, c.created_at, @PeriodSeconds::double precision) as period_end, c.realm
        from (select @UserId::text as user_id) w
        {BalanceStore.NamedAccount}
        """;

    /// <summary>The account of a user, named by Keycloak id or account id; null without one.</summary>
    public async Task<GatedAccount?> FindAsync(string userId, string[] realms, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<GatedAccount>(
            FindSql,
            [
                new NpgsqlParameter("UserId", NpgsqlDbType.Text) { Value = userId },
                new NpgsqlParameter("Realms", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = realms },
                BalanceStore.PeriodLength(provisioning.Value),
            ],
            cancellationToken)).SingleOrDefault();
}

/// <summary>The facts that decide.</summary>
/// <param name="Realm">The realm of the account's user; null where no user of it is known.</param>
internal sealed record GatedAccount(string Status, decimal CreditsRemaining, bool Unlimited, DateTimeOffset? PeriodEnd, string? Realm);
