using Dapper;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Page.Accounts;

/// <summary>Everything that happened to an account, in one order.</summary>
internal sealed class TimelineStore(NpgsqlDataSource dataSource)
{
    private static readonly string PageSql = SqlText.Of(typeof(TimelineStore), "TimelineStore.Page.sql");

    private const string SumSql =
        "select coalesce(sum(amount), 0) as credits, count(*) as rows from credit_transactions where user_id = @AccountId";

    /// <summary>Entries before a place, the newest first.</summary>
    public async Task<IReadOnlyList<TimelineEntry>> PageAsync(TimelineQuery query, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<TimelineEntry>(new CommandDefinition(
            PageSql,
            new
            {
                query.Realm, query.KeycloakId, query.AccountId, query.Kind, At = query.Before?.At ?? DateTimeOffset.MaxValue,
                BeforeKind = query.Before?.Kind ?? "~", BeforeId = query.Before?.Id ?? "~", Limit = limit,
            },
            cancellationToken: cancellationToken))];
    }

    /// <summary>What the ledger adds up to.</summary>
    public async Task<LedgerSum> SumAsync(string accountId, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<LedgerSum>(
            new CommandDefinition(SumSql, new { AccountId = accountId }, cancellationToken: cancellationToken));
    }
}

/// <param name="Kind">Only `ledger`, `audit`, `hint`, `delivery` or `hold`; null for all.</param>
/// <param name="Before">Where the page before ended; null for the first.</param>
internal sealed record TimelineQuery(string Realm, string KeycloakId, string AccountId, string? Kind, TimelinePlace? Before);

/// <summary>A place in the timeline. Entries of one instant are told apart by kind and id.</summary>
internal sealed record TimelinePlace(DateTimeOffset At, string Kind, string Id);

/// <param name="Title">The type of a ledger row, the action of an audit row, the cause of a hint, the event of a delivery.</param>
/// <param name="Note">Why, in the words of who did it.</param>
/// <param name="By">The user who did it; null for the bridge itself.</param>
/// <param name="Detail">The whole row as JSON.</param>
internal sealed record TimelineEntry(
    DateTimeOffset At, string Kind, string Id, string Title, decimal? Amount, decimal? BalanceAfter, string? Note, string? By,
    string? Result, string Detail);

internal sealed record LedgerSum(decimal Credits, long Rows);
