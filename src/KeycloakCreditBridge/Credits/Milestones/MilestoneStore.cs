using Dapper;
using KeycloakCreditBridge.Grants.Lots;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Milestones;

/// <summary>When accounts passed each milestone for the first time. What is written once never changes.</summary>
internal sealed class MilestoneStore(NpgsqlDataSource dataSource)
{
    /// <summary>Whether a change that is about to be written is paid, in its parameters: see <see cref="LotStore.IsPaid"/>.</summary>
    internal const string IsPaidChange =
        "@Type = 'purchase' and @Amount > 0 and coalesce(@Metadata::jsonb ->> 'reason', '') not in ('initial_allocation', 'adopted')";

    // In the order in which every writer locks accounts. No balance changes, so no replica is told.
    private const string ReadSql =
        """
        with quiet as (select set_config('credit_bridge.quiet', 'on', true) as on),
        locked as (
            select c.user_id, r.at
            from unnest(@Accounts::text[], @Ats::timestamptz[]) as r (user_id, at)
            join user_credits c on c.user_id = r.user_id
            where c.first_read_at is null
            order by c.user_id collate "C"
            for update of c)
        update user_credits c set first_read_at = l.at from locked l cross join quiet where c.user_id = l.user_id
        """;

    // Grants of every kind: the ledger says when the first came. A group at a time, as who spends waits for it.
    private const string GrantedSql =
        """
        with quiet as (select set_config('credit_bridge.quiet', 'on', true) as on),
        granted as materialized (
            select c.user_id, g.at
            from user_credits c
            cross join lateral (
                select min(coalesce(t.created_at, c.created_at)) as at from credit_transactions t
                where t.user_id = c.user_id and t.grant_key is not null and t.amount > 0) g
            where c.granted_at is null and c.created_at >= @Since and c.user_id > @After::text collate "C" and g.at is not null
            order by c.user_id collate "C"
            limit @Limit),
        locked as (
            select c.user_id, g.at from granted g join user_credits c on c.user_id = g.user_id
            where c.granted_at is null
            order by c.user_id collate "C"
            for update of c),
        noted as (update user_credits c set granted_at = l.at from locked l cross join quiet where c.user_id = l.user_id)
        select max(g.user_id collate "C") as last from granted g
        """;

    private const string LastOfRangeSql =
        """
        select max(r.user_id) from (
            select user_id from user_credits where user_id > @After::text collate "C" order by user_id collate "C" limit @Limit) r
        """;

    // What older replicas wrote, and what was there before milestones, is read from the ledger.
    private const string RecountSql =
        $"""
        with quiet as (select set_config('credit_bridge.quiet', 'on', true) as on),
        locked as (
            select c.user_id, c.unlimited, c.created_at from user_credits c
            where c.user_id > @After::text collate "C" and c.user_id <= @Until::text collate "C"
            order by c.user_id collate "C"
            for update),
        found as (
            select c.user_id,
                min(coalesce(t.created_at, c.created_at)) filter (where t.grant_key is not null and t.amount > 0) as granted,
                min(coalesce(t.created_at, c.created_at)) filter (where t.transaction_type = 'usage' and t.amount < 0) as spent,
                min(coalesce(t.created_at, c.created_at)) filter (
                    where t.transaction_type = 'usage' and t.amount < 0 and t.balance_after <= 0 and not c.unlimited) as emptied,
                min(coalesce(t.created_at, c.created_at)) filter (where t.amount > 0 and {LotStore.IsPaid}) as bought
            from locked c
            join credit_transactions t on t.user_id = c.user_id
            group by c.user_id)
        update user_credits c
        set granted_at = coalesce(c.granted_at, f.granted), first_spend_at = coalesce(c.first_spend_at, f.spent),
            exhausted_at = coalesce(c.exhausted_at, f.emptied), purchased_at = coalesce(c.purchased_at, f.bought)
        from found f cross join quiet
        where c.user_id = f.user_id
            and (c.granted_at is null and f.granted is not null or c.first_spend_at is null and f.spent is not null
                or c.exhausted_at is null and f.emptied is not null or c.purchased_at is null and f.bought is not null)
        """;

    private const int Range = 10_000;

    // Accounts that were never granted anything are passed over, however many they are.
    private const int MostSeconds = 600;

    /// <summary>Notes the first reads of accounts that were never read.</summary>
    public async Task ReadAsync(IReadOnlyCollection<KeyValuePair<string, DateTimeOffset>> reads, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand(ReadSql, connection);
        command.Parameters.Add(new NpgsqlParameter("Accounts", NpgsqlDbType.Array | NpgsqlDbType.Text)
        {
            Value = reads.Select(read => read.Key).ToArray(),
        });
        command.Parameters.Add(new NpgsqlParameter("Ats", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz)
        {
            Value = reads.Select(read => read.Value.UtcDateTime).ToArray(),
        });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Notes the first grants of accounts that were opened since then.</summary>
    public async Task GrantedAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        for (string? after = ""; after is not null;)
        {
            var parameters = new { Since = since, After = after, Limit = Range };
            after = await connection.ExecuteScalarAsync<string?>(
                new CommandDefinition(GrantedSql, parameters, commandTimeout: MostSeconds, cancellationToken: cancellationToken));
        }
    }

    /// <summary>Reads every missing milestone from the ledger, in ranges of accounts, and returns how many accounts it changed.</summary>
    public async Task<int> RecountAsync(CancellationToken cancellationToken)
    {
        var changed = 0;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        for (var after = ""; ;)
        {
            var until = await connection.ExecuteScalarAsync<string?>(
                new CommandDefinition(LastOfRangeSql, new { After = after, Limit = Range }, cancellationToken: cancellationToken));
            if (until is null)
                return changed;
            changed += await connection.ExecuteAsync(
                new CommandDefinition(RecountSql, new { After = after, Until = until }, cancellationToken: cancellationToken));
            after = until;
        }
    }
}
