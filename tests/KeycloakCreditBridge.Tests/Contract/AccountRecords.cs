using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>What PostgreSQL has on record of users.</summary>
internal static class AccountRecords
{
    private const string RecordSql =
        """
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
        (await database.QueryAsync<AccountRecord>(RecordSql, new { Id = id }))[0];

    /// <summary>Waits for an account, and sees that it was opened once and completely.</summary>
    /// <param name="sources">What may have led to the user.</param>
    public static async Task AssertOpenedAsync(this TestDatabase database, string id, params string[] sources)
    {
        await Eventually.TrueAsync(() => database.HasAccountAsync(id), "the account is opened");
        var record = await database.RecordOfAsync(id);
        Assert.Contains(record.Source, sources);
        var ledger = $"purchase signup 5.00 5.00 trial initial_allocation {record.Source}";
        Assert.Equal(new AccountRecord("active", record.Source, 5m, ledger, "credit.create success", "account"), record);
    }

    /// <summary>Waits until an account has a status, and returns what then stands there.</summary>
    public static async Task<AccountRecord> WaitForStatusAsync(this TestDatabase database, string id, string status)
    {
        await Eventually.TrueAsync(async () => (await database.RecordOfAsync(id)).Status == status, $"the account is {status}");
        return await database.RecordOfAsync(id);
    }
}

/// <summary>Everything about one user. Several rows of a kind are joined by commas.</summary>
internal sealed record AccountRecord(string? Status, string? Source, decimal? Balance, string? Ledger, string? Audit, string? UserState);
