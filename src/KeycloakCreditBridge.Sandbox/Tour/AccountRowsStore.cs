using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Sandbox.Tour;

/// <summary>Reads what the bridge wrote, as an operator would with psql.</summary>
internal sealed class AccountRowsStore(NpgsqlDataSource dataSource)
{
    private const string ExistsSql = "select exists (select from user_credits where user_id = @UserId::text)";

    private const string AccountSql =
        """
        select 'account' as kind,
            concat_ws(' ', tier, 'balance', credits_remaining, 'allocated', credits_allocated, status, 'source', source) as text,
                1 as ordinal
        from user_credits where user_id = @UserId::text
        union all
        select 'ledger', concat_ws(' ', transaction_type, grant_key, amount, 'balance after', balance_after, metadata), 2
        from credit_transactions where user_id = @UserId::text
        union all
        select 'audit', concat_ws(' ', action, result, metadata), 3
        from audit_logs where user_id = @UserId::text
        order by 3
        """;

    private const string InconsistentSql =
        """
        select count(*)::int from user_credits c
        where c.credits_remaining <> (select coalesce(sum(t.amount), 0) from credit_transactions t where t.user_id = c.user_id)
            or 1 <> (select count(*) from credit_transactions t where t.user_id = c.user_id and t.grant_key = 'signup')
            or 1 <> (select count(*) from audit_logs a where a.user_id = c.user_id and a.action = 'credit.create')
        """;

    private const string FoundSql = "select user_id from user_credits where source = 'reconciliation' order by user_id";

    public async Task<bool> ExistsAsync(string userId, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(
            new CommandDefinition(ExistsSql, new { UserId = userId }, cancellationToken: cancellationToken));
    }

    /// <summary>The account's row, ledger rows and audit rows, in this order.</summary>
    public async Task<IReadOnlyList<AccountRow>> ReadRowsAsync(string userId, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<AccountRow>(
            new CommandDefinition(AccountSql, new { UserId = userId }, cancellationToken: cancellationToken));
        return [.. rows];
    }

    /// <summary>Accounts that reconciliation opened.</summary>
    public async Task<IReadOnlyList<string>> FoundByReconciliationAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(new CommandDefinition(FoundSql, cancellationToken: cancellationToken))];
    }

    /// <summary>Accounts whose ledger does not add up, or that were not opened exactly once.</summary>
    public async Task<int> CountInconsistentAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<int>(new CommandDefinition(InconsistentSql, cancellationToken: cancellationToken));
    }
}

/// <param name="Kind">`account`, `ledger` or `audit`.</param>
/// <param name="Text">The row's columns.</param>
internal sealed record AccountRow(string Kind, string Text, int Ordinal);
