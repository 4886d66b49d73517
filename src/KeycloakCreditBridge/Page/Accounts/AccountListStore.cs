using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Page.Accounts;

/// <summary>Users on record with their accounts, a page at a time.</summary>
internal sealed class AccountListStore(NpgsqlDataSource dataSource)
{
    private const string Columns =
        """
        k.keycloak_id, k.account_id, k.created_at, k.user_state, k.reason, k.checked_at, c.tier, c.credits_remaining as balance,
            c.unlimited, c.status, c.source
        """;

    private const string Filter =
        """
        k.realm = @Realm and (@State::text is null or k.user_state = @State) and (@Tier::text is null or c.tier = @Tier)
            and (@Source::text is null or c.source = @Source)
        """;

    // What windows of creation show: this is the index that serves them.
    private const string Dated = "k.created_at >= '1970-01-01 00:00:00+00' and k.user_state <> 'deleted' and k.keycloak_id not like 'f:%'";

    private const string NewestSql =
        $"""
        select {Columns} from keycloak_users k left join user_credits c on c.user_id = k.account_id
        where {Filter} and {Dated} and k.created_at <= @At::timestamptz and (k.created_at, k.keycloak_id) < (@At, @Id::text)
        order by k.created_at desc, k.keycloak_id desc
        limit @Limit
        """;

    private const string ByIdSql =
        $"""
        select {Columns} from keycloak_users k left join user_credits c on c.user_id = k.account_id
        where {Filter} and k.keycloak_id > @Id::text
        order by k.keycloak_id
        limit @Limit
        """;

    private const string CountSql =
        $"""
        select count(*) from (
            select from keycloak_users k left join user_credits c on c.user_id = k.account_id where {Filter} limit @Most) matching
        """;

    /// <param name="query">What to list.</param>
    /// <param name="limit">How many rows.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public async Task<IReadOnlyList<ListedAccount>> ListAsync(AccountQuery query, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ListedAccount>(new CommandDefinition(
            query.ByNewest ? NewestSql : ByIdSql,
            new
            {
                query.Realm, query.State, query.Tier, query.Source, At = query.AfterAt ?? DateTimeOffset.MaxValue,
                Id = query.AfterId ?? (query.ByNewest ? "\uFFFF" : ""), Limit = limit,
            },
            cancellationToken: cancellationToken))];
    }

    /// <summary>How many there are, counted no further than <paramref name="most"/>.</summary>
    public async Task<long> CountAsync(AccountQuery query, int most, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(
            CountSql, new { query.Realm, query.State, query.Tier, query.Source, Most = most }, cancellationToken: cancellationToken));
    }
}

/// <param name="ByNewest">The newest first, without deleted users and those without a time of creation; otherwise all by id.</param>
/// <param name="AfterAt">Where the page before ended.</param>
internal sealed record AccountQuery(
    string Realm, string? State, string? Tier, string? Source, bool ByNewest, DateTimeOffset? AfterAt, string? AfterId);

/// <summary>A user on record, and the account if there is one.</summary>
internal sealed record ListedAccount(
    string KeycloakId, string? AccountId, DateTimeOffset? CreatedAt, string UserState, string? Reason, DateTimeOffset CheckedAt,
    string? Tier, decimal? Balance, bool? Unlimited, string? Status, string? Source);
