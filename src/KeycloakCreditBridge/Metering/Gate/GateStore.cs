using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Metering.Gate;

/// <summary>Reads accounts for the gate.</summary>
internal sealed class GateStore(NpgsqlDataSource dataSource, GrantEnds ends, IOptions<ProvisioningOptions> provisioning)
{
    private const string FindSql =
        $"""
        select c.user_id as account_id, {GrantEnds.IsDue} as is_due, c.status, c.credits_remaining, c.unlimited,
            credit_period_end(c.last_reset, c.created_at, @PeriodSeconds::double precision) as period_end, c.realm
        from (select @UserId::text as user_id) w
        {BalanceStore.NamedAccount}
        """;

    /// <summary>
    /// The account of a user, named by Keycloak id or account id, without what has ended; null without one.
    /// </summary>
    public async Task<GatedAccount?> FindAsync(string userId, string[] realms, CancellationToken cancellationToken)
    {
        while (true)
        {
            var rows = await dataSource.QueryPreparedAsync<Row>(
                FindSql,
                [
                    new NpgsqlParameter("UserId", NpgsqlDbType.Text) { Value = userId },
                    new NpgsqlParameter("Realms", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = realms },
                    GrantEnds.AtOf(ends),
                    BalanceStore.PeriodLength(provisioning.Value),
                ],
                cancellationToken);
            if (rows.SingleOrDefault() is not { } row)
                return null;
            if (!row.IsDue)
                return new GatedAccount(row.Status, row.CreditsRemaining, row.Unlimited, row.PeriodEnd, row.Realm);
            await ends.SettleAsync([row.AccountId], cancellationToken);
        }
    }

    private sealed record Row(
        string AccountId, bool IsDue, string Status, decimal CreditsRemaining, bool Unlimited, DateTimeOffset? PeriodEnd,
        string? Realm);
}

/// <summary>The facts that decide.</summary>
/// <param name="Realm">The realm of the account's user; null where no user of it is known.</param>
internal sealed record GatedAccount(string Status, decimal CreditsRemaining, bool Unlimited, DateTimeOffset? PeriodEnd, string? Realm);
