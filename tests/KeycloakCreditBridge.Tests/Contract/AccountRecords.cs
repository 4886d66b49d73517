using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>What stands in PostgreSQL about people.</summary>
internal static class AccountRecords
{
    // No index serves audit rows of one user, and with the bridge's settings PostgreSQL would compile at length for the scan instead.
    private const string PageSql =
        """
        set jit = off;
        select
            (select c.status from user_credits c where c.user_id = @Id) as status,
            (select c.source from user_credits c where c.user_id = @Id) as source,
            (select c.credits_remaining from user_credits c where c.user_id = @Id) as balance,
            (select string_agg(concat_ws(' ', t.transaction_type, t.grant_key, t.amount::numeric(9, 2), t.balance_after::numeric(9, 2),
                    t.metadata->>'tier', t.metadata->>'reason', t.metadata->>'source'), ', ' order by t.created_at)
                from credit_transactions t where t.user_id = @Id) as ledger,
            (select string_agg(a.action || ' ' || a.result, ', ' order by a.id) from audit_logs a where a.user_id = @Id) as audit,
            (select string_agg(k.user_state, ', ') from keycloak_users k where k.keycloak_id = @Id) as user_state
        """;

    public static Task<bool> HasAccountAsync(this TestDatabase database, string id) =>
        database.ScalarAsync<bool>("select exists (select from user_credits where user_id = @Id)", new { Id = id });

    public static async Task<AccountRecord> RecordOfAsync(this TestDatabase database, string id) =>
        (await database.QueryAsync<AccountRecord>(PageSql, new { Id = id }))[0];

    /// <summary>Waits for an account, and sees that it was opened once and completely.</summary>
    /// <param name="sources">Who may have led to the person.</param>
    public static async Task AssertOpenedAsync(this TestDatabase database, string id, params string[] sources)
    {
        await Eventually.TrueAsync(() => database.HasAccountAsync(id), "the account is opened");
        var page = await database.RecordOfAsync(id);
        Assert.Contains(page.Source, sources);
        var ledger = $"purchase signup 5.00 5.00 trial initial_allocation {page.Source}";
        Assert.Equal(new AccountRecord("active", page.Source, 5m, ledger, "credit.create success", "account"), page);
    }

    /// <summary>Waits until an account has a status, and returns what then stands there.</summary>
    public static async Task<AccountRecord> WaitForStatusAsync(this TestDatabase database, string id, string status)
    {
        await Eventually.TrueAsync(async () => (await database.RecordOfAsync(id)).Status == status, $"the account is {status}");
        return await database.RecordOfAsync(id);
    }
}

/// <summary>Everything about one person. Several rows of a kind are joined by commas.</summary>
internal sealed record AccountRecord(string? Status, string? Source, decimal? Balance, string? Ledger, string? Audit, string? Disposition);
