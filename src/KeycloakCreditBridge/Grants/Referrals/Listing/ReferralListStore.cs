using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Referrals.Listing;

/// <summary>Shows referrals to operators.</summary>
internal sealed class ReferralListStore(NpgsqlDataSource dataSource)
{
    private const string Columns =
        """
        r.id, a.realm, r.state, r.reason, r.referrer, r.referee, r.touched_at, r.settles_at, r.due_at, r.ended_at, r.referrer_credits,
            r.referee_credits, r.referrer_grant, r.referee_grant, a.keycloak_id as referrer_user, e.keycloak_id as referee_user
        """;

    private const string ListSql =
        $"""
        select {Columns}
        from referrals r
        join user_credits a on a.user_id = r.referrer
        left join user_credits e on e.user_id = r.referee
        where a.realm = any (@Realms) and (@State::text is null or r.state = @State)
            and (@Account::text is null or r.referrer = @Account or r.referee = @Account)
            and (r.touched_at, r.id) < (@At::timestamptz, @Id::uuid)
        order by r.touched_at desc, r.id desc
        limit @Limit
        """;

    private const string ShowSql =
        $"""
        select {Columns}
        from referrals r
        join user_credits a on a.user_id = r.referrer
        left join user_credits e on e.user_id = r.referee
        where r.id = @Id and a.realm = any (@Realms)
        """;

    // Each state is read in its index, and no further than it is counted.
    private const string CountsSql =
        """
        select s.state, (
            select count(*) from (
                select from referrals r join user_credits a on a.user_id = r.referrer
                where r.state = s.state and a.realm = @Realm
                limit @Most) counted) as referrals
        from unnest(@States::text[]) with ordinality as s (state, place)
        order by s.place
        """;

    private const string BacklogSql =
        """
        select coalesce(extract(epoch from now() - min(r.due_at) filter (where r.due_at <= now())), 0)::double precision
                as oldest_due_seconds,
            count(*) filter (where r.state = 'held') as held
        from referrals r
        where r.due_at is not null
        """;

    /// <summary>Referrals of these realms, the latest first.</summary>
    /// <param name="realms">Where.</param>
    /// <param name="state">Only those in this state; null for all.</param>
    /// <param name="account">Only those of this referrer or referee; null for all.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    /// <param name="before">The last one of the page before; null for the first page.</param>
    public async Task<IReadOnlyList<ListedReferral>> ListAsync(
        string[] realms, string? state, string? account, int limit, CancellationToken cancellationToken, ReferralPlace? before = null)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ListedReferral>(new CommandDefinition(
            ListSql,
            new
            {
                Realms = realms, State = state, Account = account, Limit = limit, At = before?.TouchedAt ?? DateTimeOffset.MaxValue,
                Id = before?.Id ?? Guid.Empty,
            },
            cancellationToken: cancellationToken))];
    }

    /// <summary>How many referrals of a realm are in each state, in the order of the states.</summary>
    /// <param name="most">Where counting a state ends.</param>
    public async Task<IReadOnlyList<ReferralsInState>> CountsAsync(string realm, int most, CancellationToken cancellationToken)
    {
        string[] states = [.. Enum.GetValues<ReferralState>().Select(ReferralMoves.Name)];
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ReferralsInState>(new CommandDefinition(
            CountsSql, new { Realm = realm, Most = most, States = states }, cancellationToken: cancellationToken))];
    }

    /// <summary>One referral; null where these realms have none of this id.</summary>
    public async Task<ListedReferral?> FindAsync(Guid id, string[] realms, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<ListedReferral>(
            new CommandDefinition(ShowSql, new { Id = id, Realms = realms }, cancellationToken: cancellationToken));
    }

    /// <summary>What waits.</summary>
    public async Task<ReferralBacklog> BacklogAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<ReferralBacklog>(new CommandDefinition(BacklogSql, cancellationToken: cancellationToken));
    }
}

/// <summary>A referral as operators see it.</summary>
/// <param name="Referrer">An account id, as <paramref name="Referee"/> is.</param>
/// <param name="Reason">See <see cref="ReferralReasons"/>.</param>
/// <param name="SettlesAt">Until then what qualified must stand.</param>
/// <param name="DueAt">When it is evaluated again; null for never.</param>
/// <param name="ReferrerGrant">The key of what the referrer was paid; null where nothing was.</param>
/// <param name="ReferrerUser">Keycloak's id; null for an account without an owner.</param>
internal sealed record ListedReferral(
    Guid Id, string Realm, string State, string? Reason, string Referrer, string Referee, DateTimeOffset TouchedAt,
    DateTimeOffset? SettlesAt, DateTimeOffset? DueAt, DateTimeOffset? EndedAt, decimal? ReferrerCredits, decimal? RefereeCredits,
    string? ReferrerGrant, string? RefereeGrant, string? ReferrerUser, string? RefereeUser);

/// <summary>A place in the list. Referrals of one instant are told apart by their ids.</summary>
internal sealed record ReferralPlace(DateTimeOffset TouchedAt, Guid Id);

/// <param name="Referrals">No more than were asked for.</param>
internal sealed record ReferralsInState(string State, long Referrals);
