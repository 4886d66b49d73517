using System.Data;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Lots;

/// <summary>Finds accounts whose balance or checkpoint is not what their ledger says.</summary>
internal sealed class LedgerCheckStore(NpgsqlDataSource dataSource)
{
    // Accounts from before the bridge may have had balances without a ledger.
    private const string UnbalancedSql =
        """
        select c.user_id as account_id
        from (select w.user_id, w.credits_remaining from user_credits w where w.source is not null
            order by w.updated_at desc nulls last limit @Most::integer) c
        where c.credits_remaining <> (select coalesce(sum(t.amount), 0) from credit_transactions t where t.user_id = c.user_id)
        order by c.user_id
        """;

    private const string CheckpointsSql =
        """
        select k.user_id as account_id, k.state::text as state, c.credits_remaining as balance, now() as at, (
                select coalesce(sum(t.amount), 0) from credit_transactions t
                where t.user_id = k.user_id and (coalesce(t.created_at, '-infinity'), t.id) > (k.booked_at, k.entry_id)) as since
        from lot_checkpoints k
        join user_credits c on c.user_id = k.user_id
        order by k.booked_at desc, k.user_id
        limit @Most::integer
        """;

    /// <summary>Those of the accounts that changed last whose balance is not the sum of their ledger.</summary>
    public async Task<IReadOnlyList<string>> UnbalancedAsync(int most, CancellationToken cancellationToken) =>
        [.. (await dataSource.QueryPreparedAsync<AccountRow>(
            UnbalancedSql, [new("Most", NpgsqlDbType.Integer) { Value = most }], cancellationToken)).Select(row => row.AccountId)];

    /// <summary>Those of the latest checkpoints with which a replay comes to other lots than without.</summary>
    public async Task<IReadOnlyList<string>> OutdatedCheckpointsAsync(int most, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        List<string> outdated = [];
        var latest = await connection.QueryPreparedAsync<CheckpointRow>(
            CheckpointsSql, [new("Most", NpgsqlDbType.Integer) { Value = most }], cancellationToken);
        foreach (var kept in latest)
        {
            // A checkpoint with another sum is not used, so that a replay would not show it.
            if (LotCheckpoint.Parse(kept.State).ToLedger().Balance + kept.Since != kept.Balance
                || !(await LotsAsync(kept, fromStart: false)).SequenceEqual(await LotsAsync(kept, fromStart: true)))
            {
                outdated.Add(kept.AccountId);
            }
        }

        return outdated;

        async Task<IEnumerable<LotCheckpoint.Kept>> LotsAsync(CheckpointRow kept, bool fromStart)
        {
            var account = new LockedAccount(kept.AccountId, kept.Balance, kept.At);
            var lots = await LotStore.LoadAsync(connection, [account], fromStart, cancellationToken);
            return LotCheckpoint.Of(lots[kept.AccountId].Ledger).Lots;
        }
    }

    private sealed record CheckpointRow(string AccountId, string State, decimal Balance, DateTimeOffset At, decimal Since);

    private sealed record AccountRow(string AccountId);
}
