using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>Finds holds that end without a person, and deletes old ones.</summary>
internal static class DueHoldStore
{
    /// <summary>Undecided holds of one turn: however many wait, so many users at most are asked whether they paid.</summary>
    public const int MostInTurn = 5_000;

    // A user who pays is held back no longer. Written so that each account is found by its index, whatever the planner expects.
    private const string Paid =
        $"""
        (select c.user_id from user_credits c
            where c.user_id = h.user_id and c.updated_at >= h.held_at and (
                select t.user_id from credit_transactions t
                where t.user_id = c.user_id and t.amount > 0 and {LotStore.IsPaid} limit 1) is not null) is not null
        """;

    internal const string DueSql =
        $"""
        with over as (
            select h.id from grant_holds h
            where h.state = 'held' and h.lapses_at <= @Now::timestamptz
                and (h.checked_at is null or h.checked_at <= @CheckedBefore::timestamptz)
            order by h.lapses_at limit @Limit::integer
        ),
        turn as materialized (
            select h.id, h.user_id, h.held_at, h.checked_at from grant_holds h
            where h.state = 'held' and h.lapses_at >= @TurnAt::timestamptz and (h.lapses_at > @TurnAt or h.id > @TurnId::uuid)
            order by h.lapses_at, h.id limit @MostInTurn::integer
        ),
        paid as (
            select h.id from turn h
            where (h.checked_at is null or h.checked_at <= @CheckedBefore) and {Paid}
            limit @Limit
        )
        select h.id, h.version, h.lapse_approves, h.lapses_at <= @Now as is_over, {Paid} as is_paid
        from grant_holds h
        where h.id = any (array(select o.id from over o union select p.id from paid p)) and h.state = 'held'
        order by h.lapses_at, h.id
        """;

    internal const string TurnSql =
        """
        select h.lapses_at as at, h.id from grant_holds h
        where h.state = 'held' and h.lapses_at >= @TurnAt::timestamptz and (h.lapses_at > @TurnAt or h.id > @TurnId::uuid)
        order by h.lapses_at, h.id
        offset @MostInTurn::integer - 1 limit 1
        """;

    private const string CheckedSql =
        """
        update grant_holds h set checked_at = @Now::timestamptz
        where h.id = @Id::uuid and h.version = @Version::integer and h.state = 'held'
        """;

    // What a referral waits for stays: without it, it would be reviewed anew.
    private const string PurgeSql =
        """
        delete from grant_holds
        where ctid = any (array(
            select h.ctid from grant_holds h
            where h.state <> 'held' and h.decided_at < @Before::timestamptz
                and (h.grant_key <> 'referral:received' or not exists (
                    select from referrals r
                    where r.referee = h.user_id and r.state <> 'refused' and r.referee_grant is null and r.due_at is not null))
            order by h.decided_at limit @Limit::integer
            for update skip locked))
        returning grant_key
        """;

    /// <summary>Holds that were not decided in time, and of those of a turn the ones whose users paid since.</summary>
    /// <param name="dataSource">The database.</param>
    /// <param name="turn">Behind which hold the turn begins.</param>
    /// <param name="now">The time that decides.</param>
    /// <param name="retry">How long one is left alone that could not be decided.</param>
    /// <param name="limit">At most so many of both.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public static Task<IReadOnlyList<DueHold>> DueAsync(
        NpgsqlDataSource dataSource, HoldTurn turn, DateTimeOffset now, TimeSpan retry, int limit, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<DueHold>(
            DueSql,
            [
                BookingStore.Time("Now", now), BookingStore.Time("CheckedBefore", now - retry), Number("Limit", limit),
                .. ParametersOf(turn),
            ],
            cancellationToken);

    /// <summary>Behind which hold the turn after this one begins: the first one of all where this one came to the end.</summary>
    public static async Task<HoldTurn> NextAsync(NpgsqlDataSource dataSource, HoldTurn turn, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<HoldTurn>(TurnSql, ParametersOf(turn), cancellationToken)) is [var next]
            ? next
            : HoldTurn.First;

    /// <summary>Records that a hold could not be decided.</summary>
    public static Task CheckedAsync(NpgsqlDataSource dataSource, DueHold hold, DateTimeOffset now, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<int>(
            CheckedSql,
            [
                new NpgsqlParameter("Id", NpgsqlDbType.Uuid) { Value = hold.Id }, Number("Version", hold.Version),
                BookingStore.Time("Now", now),
            ],
            cancellationToken);

    /// <summary>Deletes at most <paramref name="limit"/> holds that were decided before then, and returns how many.</summary>
    public static async Task<int> PurgeAsync(
        NpgsqlDataSource dataSource, DateTimeOffset before, int limit, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            PurgeSql, [BookingStore.Time("Before", before), Number("Limit", limit)], cancellationToken)).Count;

    private static NpgsqlParameter[] ParametersOf(HoldTurn turn) =>
    [
        BookingStore.Time("TurnAt", turn.At), new NpgsqlParameter("TurnId", NpgsqlDbType.Uuid) { Value = turn.Id },
        Number("MostInTurn", MostInTurn),
    ];

    private static NpgsqlParameter Number(string name, int value) => new(name, NpgsqlDbType.Integer) { Value = value };
}

/// <summary>How far undecided holds were asked for, in the order of their ends.</summary>
internal sealed record HoldTurn(DateTimeOffset At, Guid Id)
{
    public static readonly HoldTurn First = new(DateTimeOffset.UnixEpoch, Guid.Empty);
}
