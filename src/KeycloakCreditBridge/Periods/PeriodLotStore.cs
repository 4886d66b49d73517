using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Periods;

/// <summary>
/// Locks accounts whose period ended, and finds what each may lose where its balance alone does not say it: accounts that bought credits,
/// and those whose grants have ends or priorities.
/// </summary>
internal static class PeriodLotStore
{
    private const string LockSql =
        $"""
        with {PeriodStore.AccountRange}
        select c.user_id as account_id, {GrantEnds.IsDue} as is_due
        from walked w
        join user_credits c on c.user_id = w.user_id
        where c.status = 'active' and not c.grant_pending and {PeriodStore.PeriodEnd} <= @Now
        order by c.user_id collate "C"
        for no key update of c
        """;

    // A statement of its own, which sees what was bought while the locks were waited for.
    private const string LotsSql =
        $"""
        select c.user_id as account_id, c.credits_remaining as balance, coalesce(@At::timestamptz, now()) as at
        from unnest(@Locked::text[]) as w (user_id)
        join user_credits c on c.user_id = w.user_id
        where (select t.user_id from credit_transactions t where t.user_id = c.user_id and {LotStore.IsPaid} limit 1) is not null
            or (select g.user_id from credit_grants g where g.user_id = c.user_id limit 1) is not null
        """;

    /// <summary>Locks the accounts that are due, books what has ended in them, and finds what those with lots may lose.</summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="parameters">Of the range and the time.</param>
    /// <param name="terms">Which credits may be forfeited.</param>
    /// <param name="ends">How ends are compared; null where none are known.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<LockedPeriods> LockAsync(
        NpgsqlConnection connection, NpgsqlParameter[] parameters, PeriodTerms terms, GrantEnds? ends, CancellationToken cancellationToken)
    {
        var locked = await connection.QueryPreparedAsync<LockedPeriod>(LockSql, [.. parameters, GrantEnds.AtOf(ends)], cancellationToken);
        string[] ids = [.. locked.Select(account => account.AccountId)];
        if (ends is not null)
            await ends.SettleAsync(
                connection, [.. locked.Where(account => account.IsDue).Select(account => account.AccountId)], cancellationToken);
        var accounts = ids.Length == 0
            ? []
            : await connection.QueryPreparedAsync<LockedAccount>(LotsSql, [LockedOf(ids), GrantEnds.AtOf(ends)], cancellationToken);
        if (accounts.Count == 0)
            return new LockedPeriods(ids, []);
        var lots = await LotStore.LoadAsync(connection, accounts, fromStart: false, cancellationToken);
        return new LockedPeriods(ids, [.. accounts.Select(account => new LosableCredits(
            account.AccountId, lots[account.AccountId].Ledger.Remainder(terms.Lost)))]);
    }

    /// <summary>The parameter @Locked.</summary>
    public static NpgsqlParameter LockedOf(string[] ids) => new("Locked", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = ids };

    private sealed record LockedPeriod(string AccountId, bool IsDue);
}

/// <param name="Ids">The accounts that are due, locked.</param>
/// <param name="Lots">Those of them that have lots, with what they may lose.</param>
internal sealed record LockedPeriods(string[] Ids, IReadOnlyList<LosableCredits> Lots);

/// <param name="Most">What may be forfeited.</param>
internal sealed record LosableCredits(string AccountId, decimal Most);
