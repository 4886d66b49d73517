using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Referrals.Payments;

/// <summary>Referrals and the places of referrers. What changes them holds the locks of both accounts.</summary>
internal static class ReferralStore
{
    private const string ClaimSql =
        """
        with due as (
            select r.id from referrals r where r.due_at <= @Now::timestamptz
            order by r.due_at limit @Limit::integer
            for no key update of r skip locked
        )
        update referrals r set due_at = @Now + @Lease::interval
        from due d
        where r.id = d.id
        returning r.id, (select c.realm from user_credits c where c.user_id = r.referee) as realm
        """;

    private static readonly string FactsSql = SqlText.Of(typeof(ReferralStore), "ReferralStore.Facts.sql", ("is_paid", LotStore.IsPaid));

    private const string AccountsSql = "select r.referrer, r.referee from referrals r where r.id = @Id::uuid";

    private const string WaitSql =
        """
        update referrals r
        set due_at = @DueAt::timestamptz, evaluated_at = @Now::timestamptz,
            checked_at = case when @Checks::boolean then coalesce(r.checked_at, @Now) else r.checked_at end
        where r.id = @Id::uuid
        """;

    private const string MoveSql =
        """
        update referrals r
        set state = @To::text, reason = @Reason::text, due_at = @DueAt::timestamptz, evaluated_at = @Now::timestamptz,
            checked_at = coalesce(r.checked_at, @Now), ended_at = case when @Ends::boolean then @Now end,
            place_at = case when @Frees::boolean then null else coalesce(@PlaceAt::timestamptz, r.place_at) end,
            settles_at = coalesce(@SettlesAt::timestamptz, r.settles_at),
            referrer_credits = coalesce(r.referrer_credits, @ReferrerCredits::numeric),
            referee_credits = coalesce(r.referee_credits, @RefereeCredits::numeric),
            referrer_grant = coalesce(r.referrer_grant, @ReferrerGrant::text),
            referee_grant = coalesce(r.referee_grant, @RefereeGrant::text)
        where r.id = @Id::uuid and r.state = @From::text
        returning r.id
        """;

    private const string OpenPlacesSql =
        "insert into referrers (user_id, places) values (@Account::text, 0) on conflict (user_id) do nothing";

    // The account's lock is held, so that no other referral of the same referrer takes a place between this statement's parts.
    private const string TakePlaceSql =
        """
        update referrers f set places = f.places + 1
        where f.user_id = @Account::text and f.places < @Most::integer and (
            select count(*) from referrals r where r.referrer = f.user_id and r.place_at > @Since::timestamptz) < @MostSince::integer
        returning f.places
        """;

    private const string FreePlaceSql =
        """
        update referrers f set places = f.places - 1
        from referrals r
        where r.id = @Id::uuid and r.place_at is not null and f.user_id = r.referrer
        """;

    /// <summary>Referrals that are due, which no other replica takes until the lease is over.</summary>
    public static Task<IReadOnlyList<DueReferral>> ClaimAsync(
        NpgsqlDataSource dataSource, DateTimeOffset now, TimeSpan lease, int limit, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<DueReferral>(
            ClaimSql,
            [
                BookingStore.Time("Now", now),
                new NpgsqlParameter("Lease", NpgsqlDbType.Interval) { Value = lease },
                new NpgsqlParameter("Limit", NpgsqlDbType.Integer) { Value = limit },
            ],
            cancellationToken);

    /// <summary>The accounts of a referral; null where there is no such referral.</summary>
    public static async Task<ReferralAccounts?> AccountsAsync(
        NpgsqlConnection connection, Guid id, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<ReferralAccounts>(AccountsSql, [Id(id)], cancellationToken)) is [var accounts]
            ? accounts
            : null;

    /// <summary>What is known of a referral; null where an account is not there.</summary>
    public static async Task<ReferralFacts?> FactsAsync(
        NpgsqlConnection connection, Guid id, ReferralTerms terms, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<ReferralFacts>(
            FactsSql,
            [
                Id(id),
                new("Within", NpgsqlDbType.Interval) { Value = terms.Within },
                new("Task", NpgsqlDbType.Text) { Value = terms.Task },
            ],
            cancellationToken)) is [var facts]
            ? facts
            : null;

    /// <summary>Keeps when a referral is evaluated again.</summary>
    public static Task WaitAsync(
        NpgsqlConnection connection, Guid id, ReferralStep step, DateTimeOffset now, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            WaitSql,
            [
                Id(id),
                BookingStore.Time("DueAt", step.DueAt),
                BookingStore.Time("Now", now),
                new("Checks", NpgsqlDbType.Boolean) { Value = step.Checks },
            ],
            cancellationToken);

    /// <summary>Changes the state; false where it is another one by now.</summary>
    public static async Task<bool> MoveAsync(
        NpgsqlConnection connection, ReferralMove move, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<Guid>(
            MoveSql,
            [
                Id(move.Id),
                Text("From", ReferralMoves.Name(move.From)),
                Text("To", ReferralMoves.Name(move.To)),
                Text("Reason", move.Reason),
                Text("ReferrerGrant", move.ReferrerGrant),
                Text("RefereeGrant", move.RefereeGrant),
                BookingStore.Time("DueAt", move.DueAt),
                BookingStore.Time("PlaceAt", move.TakesPlace ? now : null),
                BookingStore.Time("SettlesAt", move.SettlesAt),
                BookingStore.Time("Now", now),
                new("Frees", NpgsqlDbType.Boolean) { Value = move.FreesPlace },
                new("Ends", NpgsqlDbType.Boolean) { Value = move.DueAt is null },
                new("ReferrerCredits", NpgsqlDbType.Numeric) { Value = move.ReferrerCredits ?? (object)DBNull.Value },
                new("RefereeCredits", NpgsqlDbType.Numeric) { Value = move.RefereeCredits ?? (object)DBNull.Value },
            ],
            cancellationToken)).Count > 0;

    /// <summary>Takes one of the referrer's places; false where none is left.</summary>
    public static async Task<bool> TakePlaceAsync(
        NpgsqlConnection connection, string referrer, ReferralTerms terms, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await connection.QueryPreparedAsync<int>(OpenPlacesSql, [Text("Account", referrer)], cancellationToken);
        return (await connection.QueryPreparedAsync<int>(
            TakePlaceSql,
            [
                Text("Account", referrer),
                new("Most", NpgsqlDbType.Integer) { Value = terms.MostPerReferrer },
                new("MostSince", NpgsqlDbType.Integer) { Value = terms.MostIn30Days },
                BookingStore.Time("Since", now - TimeSpan.FromDays(30)),
            ],
            cancellationToken)).Count > 0;
    }

    /// <summary>Gives back the place that the referral has, if it has one; before the move that says so.</summary>
    public static Task FreePlaceAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(FreePlaceSql, [Id(id)], cancellationToken);

    private static NpgsqlParameter Id(Guid id) => new("Id", NpgsqlDbType.Uuid) { Value = id };

    private static NpgsqlParameter Text(string name, string? value) =>
        new(name, NpgsqlDbType.Text) { Value = value ?? (object)DBNull.Value };
}

/// <summary>A referral to be evaluated.</summary>
internal sealed record DueReferral(Guid Id, string? Realm);

/// <summary>The account ids of a referral.</summary>
internal sealed record ReferralAccounts(string Referrer, string Referee)
{
    public string[] All => Referrer == Referee ? [Referrer] : [Referrer, Referee];
}

/// <summary>A change of state with what it stamps.</summary>
internal sealed record ReferralMove(Guid Id, ReferralState From, ReferralState To, string? Reason)
{
    public bool TakesPlace { get; init; }

    public bool FreesPlace { get; init; }

    /// <summary>When it is evaluated again; null where nothing follows.</summary>
    public DateTimeOffset? DueAt { get; init; }

    public DateTimeOffset? SettlesAt { get; init; }

    public decimal? ReferrerCredits { get; init; }

    public decimal? RefereeCredits { get; init; }

    public string? ReferrerGrant { get; init; }

    public string? RefereeGrant { get; init; }
}
