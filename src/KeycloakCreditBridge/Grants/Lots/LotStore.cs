using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Lots;

/// <summary>Replays the ledgers of accounts. Their rows are locked by the transaction that books something afterwards.</summary>
internal static class LotStore
{
    /// <summary>A ledger this long gets a checkpoint.</summary>
    public const int CheckpointAfter = 1_000;

    /// <summary>Whether the ledger row t is a purchase of credits: opening grants are purchases too, here and elsewhere.</summary>
    public const string IsPaid =
        """
        t.transaction_type = 'purchase' and t.grant_key is null
            and coalesce(t.metadata ->> 'reason', '') not in ('initial_allocation', 'adopted')
        """;

    private const string CheckpointsSql =
        """
        select k.user_id as account_id, k.booked_at, k.entry_id, k.state::text as state
        from lot_checkpoints k
        where k.user_id = any (@Accounts::text[])
        """;

    private const string SampleSql =
        """
        select k.user_id as account_id, k.booked_at, k.entry_id, k.state::text as state
        from lot_checkpoints k
        order by k.booked_at desc
        limit @Most::integer
        """;

    private const string GrantsSql =
        """
        select g.user_id as account_id, g.grant_key, g.amount, g.category, g.priority, g.granted_at, g.expires_at, g.closed_at,
            g.close_reason, g.policy, g.policy_version, g.evidence::text as evidence
        from credit_grants g
        where g.user_id = any (@Accounts::text[])
        """;

    // Two parts, each by its index: rows with a grant key stand in no other one.
    private static readonly string RowsSql = SqlText.Of(typeof(LotStore), "LotStore.Rows.sql", ("is_paid", IsPaid));

    private const string SaveSql =
        """
        insert into lot_checkpoints (user_id, booked_at, entry_id, state)
        values (@Account::text, @BookedAt::timestamptz, @EntryId::uuid, @State::jsonb)
        on conflict (user_id) do update set booked_at = excluded.booked_at, entry_id = excluded.entry_id, state = excluded.state
        """;

    /// <summary>The lots of these accounts; none for an account without a ledger.</summary>
    /// <param name="connection">In a transaction that holds the accounts' locks where something is booked afterwards.</param>
    /// <param name="accounts">The accounts with their balances, which a checkpoint has to explain.</param>
    /// <param name="fromStart">Whether checkpoints are left out, as a refund needs.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task<IReadOnlyDictionary<string, AccountLots>> LoadAsync(
        NpgsqlConnection connection, IReadOnlyCollection<LockedAccount> accounts, bool fromStart, CancellationToken cancellationToken)
    {
        string[] names = [.. accounts.Select(account => account.AccountId)];
        var checkpoints = fromStart
            ? []
            : (await connection.QueryPreparedAsync<CheckpointRow>(CheckpointsSql, [Ids(names)], cancellationToken))
                .ToDictionary(row => row.AccountId, StringComparer.Ordinal);
        var stamps = (await connection.QueryPreparedAsync<StampRow>(GrantsSql, [Ids(names)], cancellationToken))
            .ToLookup(row => row.AccountId, StringComparer.Ordinal);
        var rows = await RowsAsync(connection, names, checkpoints, cancellationToken);

        var loaded = new Dictionary<string, AccountLots>(StringComparer.Ordinal);
        foreach (var account in accounts)
        {
            var id = account.AccountId;
            var checkpoint = checkpoints.GetValueOrDefault(id);
            loaded[id] = Replay([.. rows[id]], [.. stamps[id]], checkpoint) is { } read
                && (checkpoint is null || read.Ledger.Balance == account.Balance)
                ? read
                : (await LoadAsync(connection, [account], fromStart: true, cancellationToken))[id];
        }

        return loaded;
    }

    /// <summary>Keeps the lots of an account whose ledger has grown, so that the next replay begins here.</summary>
    public static async Task SaveAsync(NpgsqlConnection connection, string account, AccountLots lots, CancellationToken cancellationToken)
    {
        if (lots.Replayed < CheckpointAfter || lots.Last is not { } last)
            return;
        await connection.QueryPreparedAsync<int>(
            SaveSql,
            [
                new("Account", NpgsqlDbType.Text) { Value = account },
                new("BookedAt", NpgsqlDbType.TimestampTz) { Value = last.BookedAt.UtcDateTime },
                new("EntryId", NpgsqlDbType.Uuid) { Value = last.Id },
                new("State", NpgsqlDbType.Jsonb) { Value = LotCheckpoint.Of(lots.Ledger).ToJson() },
            ],
            cancellationToken);
    }

    /// <summary>Accounts whose checkpoint differs from what their ledger says up to the same row.</summary>
    public static async Task<IReadOnlyList<string>> DifferingAsync(
        NpgsqlConnection connection, int most, CancellationToken cancellationToken)
    {
        var checkpoints = await connection.QueryPreparedAsync<CheckpointRow>(
            SampleSql, [new("Most", NpgsqlDbType.Integer) { Value = most }], cancellationToken);
        List<string> differing = [];
        foreach (var checkpoint in checkpoints)
        {
            string[] name = [checkpoint.AccountId];
            LedgerRow[] rows = [.. (await RowsAsync(connection, name, [], cancellationToken))[checkpoint.AccountId]];
            var stamps = await connection.QueryPreparedAsync<StampRow>(
                GrantsSql, [Ids(name)], cancellationToken);
            var ledger = new LotLedger();
            Apply(ledger, rows, rows.AsSpan()[..(Array.FindIndex(rows, row => row.Id == checkpoint.EntryId) + 1)],
                stamps.ToDictionary(row => row.GrantKey, StringComparer.Ordinal));
            var (kept, derived) = (LotCheckpoint.Parse(checkpoint.State), LotCheckpoint.Of(ledger));
            if (kept.Debt != derived.Debt || !kept.Lots.SequenceEqual(derived.Lots))
                differing.Add(checkpoint.AccountId);
        }

        return differing;
    }

    private static async Task<ILookup<string, LedgerRow>> RowsAsync(
        NpgsqlConnection connection, string[] names, Dictionary<string, CheckpointRow> checkpoints, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<LedgerRow>(
            RowsSql,
            [
                new("Accounts", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = names },
                names.Column("AfterTimes", NpgsqlDbType.TimestampTz, id => checkpoints.GetValueOrDefault(id)?.BookedAt.UtcDateTime),
                names.Column("AfterIds", NpgsqlDbType.Uuid, id => checkpoints.GetValueOrDefault(id)?.EntryId),
            ],
            cancellationToken)).ToLookup(row => row.AccountId, StringComparer.Ordinal);

    // Null where a checkpoint does not suffice.
    private static AccountLots? Replay(LedgerRow[] rows, StampRow[] stamps, CheckpointRow? checkpoint)
    {
        if (checkpoint is not null && Array.Exists(rows, row => row.IsRefund))
            return null;
        var ledger = checkpoint is null ? new LotLedger() : LotCheckpoint.Parse(checkpoint.State).ToLedger();
        var given = stamps.ToDictionary(row => row.GrantKey, StringComparer.Ordinal);
        Apply(ledger, rows, rows, given);
        return new AccountLots(ledger, given, rows.Length, rows is [.., var last] ? last : null);
    }

    // An extension behind the rows in question too says what a grant was before it.
    private static void Apply(
        LotLedger ledger, LedgerRow[] all, ReadOnlySpan<LedgerRow> rows, IReadOnlyDictionary<string, StampRow> given)
    {
        var extended = new Dictionary<string, LedgerRow>(StringComparer.Ordinal);
        foreach (var row in all.Where(row => row.IsExtension))
            extended.TryAdd(row.Of!, row);
        foreach (var row in rows)
            ledger.Apply(row.ToEntry(given.GetValueOrDefault(row.LotKey), extended.GetValueOrDefault(row.LotKey)));
    }

    private static NpgsqlParameter Ids(string[] accounts) => new("Accounts", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = accounts };

    private sealed record CheckpointRow(string AccountId, DateTimeOffset BookedAt, Guid EntryId, string State);
}

/// <summary>An account whose row the transaction has locked, or a consistent reading of one.</summary>
/// <param name="Balance">Before anything was booked.</param>
/// <param name="At">The time by which ends are compared, the same in all of a transaction.</param>
internal record LockedAccount(string AccountId, decimal Balance, DateTimeOffset At);

/// <summary>An account's lots.</summary>
/// <param name="Ledger">As the last ledger row left them.</param>
/// <param name="Stamps">What was decided for grants, by their keys.</param>
/// <param name="Replayed">How many rows were read for it.</param>
/// <param name="Last">The last of them.</param>
internal sealed record AccountLots(LotLedger Ledger, IReadOnlyDictionary<string, StampRow> Stamps, int Replayed, LedgerRow? Last);

/// <summary>What was decided for a grant, as the table keeps it.</summary>
internal sealed record StampRow
{
    public string AccountId { get; init; } = "";

    public string GrantKey { get; init; } = "";

    public decimal Amount { get; init; }

    public string Category { get; init; } = "";

    public short Priority { get; init; }

    public DateTimeOffset GrantedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public DateTimeOffset? ClosedAt { get; init; }

    public string? CloseReason { get; init; }

    public string? Policy { get; init; }

    public string? PolicyVersion { get; init; }

    public string? Evidence { get; init; }
}
