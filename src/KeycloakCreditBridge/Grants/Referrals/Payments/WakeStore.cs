using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Referrals.Payments;

/// <summary>Has referrals evaluated whose referee did something.</summary>
internal static class WakeStore
{
    /// <summary>Referrals of one turn: however many wait for their referees, so many are asked for.</summary>
    public const int MostInTurn = 5_000;

    // What is booked to an account, and what Keycloak said of its user, may be what a referral waits for. Written so that each account is
    // found by its index, whatever the planner expects.
    internal const string WakeSql =
        """
        with turn as materialized (
            select r.id, r.referee, r.evaluated_at from referrals r
            where r.state = 'touched' and r.evaluated_at >= @TurnAt::timestamptz and (r.evaluated_at > @TurnAt or r.id > @TurnId::uuid)
            order by r.evaluated_at, r.id limit @MostInTurn::integer
        ),
        woken as materialized (
            select r.id from referrals r
            where r.id = any (array(
                    select n.id from turn n
                    where (
                        select c.user_id from user_credits c
                        left join keycloak_users k on k.realm = c.realm and k.keycloak_id = c.keycloak_id
                        where c.user_id = n.referee and (c.updated_at >= n.evaluated_at or k.checked_at >= n.evaluated_at)) is not null))
                and r.state = 'touched' and r.due_at > @Now::timestamptz
            for no key update of r skip locked
        ),
        moved as (
            update referrals r set due_at = @Now where r.id = any (array(select w.id from woken w))
        )
        select n.evaluated_at as at, n.id from turn n order by n.evaluated_at, n.id offset @MostInTurn - 1 limit 1
        """;

    /// <summary>Makes referrals of a turn due whose referee's account or user changed since they were evaluated.</summary>
    /// <returns>Behind which referral the turn after this one begins: the first one of all where this one came to the end.</returns>
    public static async Task<ReferralTurn> WakeAsync(
        NpgsqlDataSource dataSource, ReferralTurn turn, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<ReferralTurn>(
            WakeSql,
            [
                BookingStore.Time("Now", now), BookingStore.Time("TurnAt", turn.At),
                new NpgsqlParameter("TurnId", NpgsqlDbType.Uuid) { Value = turn.Id },
                new NpgsqlParameter("MostInTurn", NpgsqlDbType.Integer) { Value = MostInTurn },
            ],
            cancellationToken)) is [var next]
            ? next
            : ReferralTurn.First;
}

/// <summary>How far waiting referrals were asked for, in the order of their evaluations.</summary>
internal sealed record ReferralTurn(DateTimeOffset At, Guid Id)
{
    public static readonly ReferralTurn First = new(DateTimeOffset.UnixEpoch, Guid.Empty);
}
