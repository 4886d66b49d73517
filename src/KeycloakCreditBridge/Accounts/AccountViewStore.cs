using Dapper;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Accounts;

/// <summary>Everything on record about an account, for display.</summary>
internal sealed class AccountViewStore(NpgsqlDataSource dataSource, IOptions<ProvisioningOptions> provisioning)
{
    private const string KnownSql =
        """
        select realm, keycloak_id, account_id, created_at, user_state, reason, checked_at, tier
        from keycloak_users
        where realm = any (@Realms::text[]) and keycloak_id = any (@Users::text[])
        """;

    private const string AccountSql =
        """
        select user_id as id, credits_remaining as balance, credits_allocated as allocated, tier, monthly_cap, unlimited,
            credit_period_end(last_reset, created_at, @PeriodSeconds) as period_end, created_at, updated_at, status, status_reason, source,
            grant_pending, withheld_credits as withheld
        from user_credits
        where user_id = @AccountId
        """;

    private const string LedgerSql =
        """
        select created_at as at, transaction_type as type, amount, balance_after, grant_key, metadata ->> 'reason' as reason
        from credit_transactions
        where user_id = @AccountId
        order by created_at desc nulls last
        limit @Limit
        """;

    private const string AuditSql =
        """
        select timestamp as at, action, result, metadata ->> 'source' as source, error_message as error
        from audit_logs
        where user_id = @AccountId
        order by timestamp desc
        limit @Limit
        """;

    /// <summary>The records of these users, by Keycloak's ids.</summary>
    public Task<IReadOnlyList<KnownUserRow>> KnownAsync(
        IReadOnlyCollection<string> realms, IReadOnlyCollection<string> users, CancellationToken cancellationToken) =>
        QueryAsync<KnownUserRow>(KnownSql, new { Realms = realms.ToArray(), Users = users.ToArray() }, cancellationToken);

    /// <summary>The account, or null.</summary>
    public async Task<AccountRow?> AccountAsync(string accountId, CancellationToken cancellationToken) =>
        (await QueryAsync<AccountRow>(
            AccountSql, new { AccountId = accountId, PeriodSeconds = provisioning.Value.Period.TotalSeconds },
            cancellationToken)).SingleOrDefault();

    /// <summary>The latest rows of the account's ledger, newest first.</summary>
    public Task<IReadOnlyList<LedgerRow>> LedgerAsync(string accountId, int limit, CancellationToken cancellationToken) =>
        QueryAsync<LedgerRow>(LedgerSql, new { AccountId = accountId, Limit = limit }, cancellationToken);

    /// <summary>The latest audit rows of the account, newest first.</summary>
    public Task<IReadOnlyList<AuditRow>> AuditAsync(string accountId, int limit, CancellationToken cancellationToken) =>
        QueryAsync<AuditRow>(AuditSql, new { AccountId = accountId, Limit = limit }, cancellationToken);

    private async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<T>(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken))];
    }
}

/// <summary>The record of a Keycloak user.</summary>
/// <param name="AccountId">Null for a user who never had an account.</param>
/// <param name="CreatedAt">As Keycloak says.</param>
/// <param name="UserState">See <see cref="UserState"/>.</param>
/// <param name="Reason">See <see cref="ExclusionReasons"/>; null for a user with an active account.</param>
/// <param name="CheckedAt">When Keycloak was read.</param>
/// <param name="Tier">The tier that Keycloak named then, if accounts follow it.</param>
internal sealed record KnownUserRow(
    string Realm, string KeycloakId, string? AccountId, DateTimeOffset? CreatedAt, string UserState, string? Reason,
    DateTimeOffset CheckedAt, string? Tier);

/// <summary>An account.</summary>
/// <param name="Source">What led to its opening; null for one that is older than the bridge.</param>
/// <param name="Withheld">Welcome credits that a policy withholds; null for none.</param>
/// <param name="GrantPending">The opening grant waits until Keycloak says that the address is verified.</param>
internal sealed record AccountRow(
    string Id,
    decimal Balance,
    decimal Allocated,
    string Tier,
    decimal? MonthlyCap,
    bool Unlimited,
    DateTimeOffset? PeriodEnd,
    DateTimeOffset? CreatedAt,
    DateTimeOffset? UpdatedAt,
    string Status,
    string? StatusReason,
    string? Source,
    bool GrantPending,
    decimal? Withheld = null);

/// <summary>A row of the ledger.</summary>
/// <param name="GrantKey">Set on rows that the ledger has only once.</param>
internal sealed record LedgerRow(
    DateTimeOffset? At, string Type, decimal Amount, decimal? BalanceAfter, string? GrantKey, string? Reason);

/// <summary>A row of the audit log.</summary>
internal sealed record AuditRow(DateTimeOffset At, string Action, string Result, string? Source, string? Error);
