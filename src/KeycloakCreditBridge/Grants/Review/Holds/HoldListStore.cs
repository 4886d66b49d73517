using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>Shows holds to operators, and to users what became of theirs.</summary>
internal sealed class HoldListStore(NpgsqlDataSource dataSource)
{
    private const string Columns =
        """
        h.id, c.realm, h.user_id as account_id, c.status as account_status, h.grant_key, h.policy, h.credits, h.score,
            h.signals::text as signals, h.state, h.held_at, h.lapses_at, h.decided_by, h.decided_at, h.note, h.appeal::text as appeal,
            h.appealed_at, h.version, c.keycloak_id
        """;

    private const string Filtered =
        """
        from grant_holds h
        join user_credits c on c.user_id = h.user_id
        where c.realm = any (@Realms) and (@State::text is null or h.state = @State) and (@Account::text is null or h.user_id = @Account)
            and (@Policy::text is null or h.policy = @Policy) and h.score >= @AtLeast
            and (@Signal::text is null or h.signals @> jsonb_build_array(jsonb_build_object('signal', @Signal)))
            and (not @Appealed or h.appealed_at is not null)
        """;

    private const string ListSql =
        $"""
        select {Columns}
        {Filtered}
        order by h.state <> 'held', h.appealed_at is null, coalesce(h.appealed_at, h.held_at), h.id
        limit @Limit offset @Skip
        """;

    private const string CountSql = $"select count(*) {Filtered}";

    private const string ShowSql =
        $"select {Columns} from grant_holds h join user_credits c on c.user_id = h.user_id where h.id = @Id and c.realm = any (@Realms)";

    // The latest hold of each grant says what became of it.
    private const string OfAccountSql =
        """
        select distinct on (h.grant_key) h.grant_key, h.policy, h.credits, h.state, h.held_at, h.decided_at,
            h.appealed_at is not null as is_appealed
        from grant_holds h
        where h.user_id = @Account
        order by h.grant_key, h.held_at desc, h.id
        """;

    private const string BacklogSql =
        """
        select count(*) as held, count(h.appealed_at) as appealed,
            coalesce(extract(epoch from @Now - min(coalesce(h.appealed_at, h.held_at))), 0)::double precision as oldest_seconds
        from grant_holds h
        where h.state = 'held'
        """;

    // What time decided says nothing of a signal.
    private const string OverturnedSql =
        """
        select s.signal, count(*) as decided, count(*) filter (where h.state = 'approved') as approved
        from grant_holds h
        cross join lateral (
            select e ->> 'signal' as signal from jsonb_array_elements(h.signals) e where (e ->> 'score')::integer > 0) s
        where h.state in ('approved', 'rejected') and h.decided_by not in ('time', 'paid', 'score') and h.decided_at > @Since
        group by s.signal
        order by s.signal
        """;

    /// <summary>Holds: undecided ones first, of these appeals, then the oldest.</summary>
    public async Task<IReadOnlyList<ListedHold>> ListAsync(
        HoldFilter filter, int limit, CancellationToken cancellationToken, int skip = 0)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ListedHold>(new CommandDefinition(
            ListSql, ParametersOf(filter, limit, skip), cancellationToken: cancellationToken))];
    }

    /// <summary>How many holds these are.</summary>
    public async Task<long> CountAsync(HoldFilter filter, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(
            CountSql, ParametersOf(filter, 0, 0), cancellationToken: cancellationToken));
    }

    /// <summary>One hold; null where these realms have none of this id.</summary>
    public async Task<ListedHold?> FindAsync(Guid id, string[] realms, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<ListedHold>(
            new CommandDefinition(ShowSql, new { Id = id, Realms = realms }, cancellationToken: cancellationToken));
    }

    /// <summary>What became of the held grants of an account: for its user, without score and signals.</summary>
    public async Task<IReadOnlyList<ReviewedGrant>> OfAccountAsync(string account, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ReviewedGrant>(
            new CommandDefinition(OfAccountSql, new { Account = account }, cancellationToken: cancellationToken))];
    }

    /// <summary>What waits for a decision.</summary>
    public async Task<HoldBacklog> BacklogAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<HoldBacklog>(
            new CommandDefinition(BacklogSql, new { Now = now }, cancellationToken: cancellationToken));
    }

    /// <summary>How often operators approved what each signal spoke against.</summary>
    public async Task<IReadOnlyList<OverturnedSignal>> OverturnedAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<OverturnedSignal>(
            new CommandDefinition(OverturnedSql, new { Since = since }, cancellationToken: cancellationToken))];
    }

    private static object ParametersOf(HoldFilter filter, int limit, int skip) => new
    {
        filter.Realms,
        State = filter.State is { } state ? HoldMoves.Name(state) : null,
        filter.Account,
        filter.Policy,
        filter.Signal,
        filter.AtLeast,
        filter.Appealed,
        Limit = limit,
        Skip = skip,
    };
}

/// <summary>Which holds are meant.</summary>
/// <param name="Realms">Where.</param>
/// <param name="State">Null for all.</param>
internal sealed record HoldFilter(string[] Realms, HoldState? State = null)
{
    /// <summary>Only those of this account.</summary>
    public string? Account { get; init; }

    /// <summary>Only those of this policy, such as `welcome`.</summary>
    public string? Policy { get; init; }

    /// <summary>Only those that this signal is recorded with.</summary>
    public string? Signal { get; init; }

    /// <summary>Only those with this score or a higher one.</summary>
    public int AtLeast { get; init; }

    /// <summary>Only those whose user made an appeal.</summary>
    public bool Appealed { get; init; }
}

/// <summary>A hold as operators see it.</summary>
/// <param name="Signals">A JSON array.</param>
/// <param name="LapsesAt">When it ends undecided.</param>
/// <param name="Appeal">A JSON object with the user's text and the decision before; null without an appeal.</param>
/// <param name="Version">What a decision names.</param>
/// <param name="KeycloakId">Null for an account without an owner.</param>
internal sealed record ListedHold(
    Guid Id, string Realm, string AccountId, string AccountStatus, string GrantKey, string Policy, decimal Credits, short Score,
    string Signals, string State, DateTimeOffset HeldAt, DateTimeOffset LapsesAt, string? DecidedBy, DateTimeOffset? DecidedAt,
    string? Note, string? Appeal, DateTimeOffset? AppealedAt, int Version, string? KeycloakId);

/// <summary>What became of a held grant.</summary>
internal sealed record ReviewedGrant(
    string GrantKey, string Policy, decimal Credits, string State, DateTimeOffset HeldAt, DateTimeOffset? DecidedAt, bool IsAppealed);

/// <param name="OldestSeconds">0 where nothing waits.</param>
internal sealed record HoldBacklog(long Held, long Appealed, double OldestSeconds);

/// <summary>What operators decided of grants that a signal spoke against.</summary>
internal sealed record OverturnedSignal(string Signal, long Decided, long Approved);
