using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Referrals.Payments;

/// <summary>
/// Referrals whose review was decided. One that a refusal ended goes on where an appeal against it is approved: it takes a place as it did
/// before, or the referee alone is paid.
/// </summary>
internal sealed class ReviewedReferralStore(Hot<ReferralRules> rules, ReferralMetrics metrics) : IReviewedReferrals
{
    private const string FindSql =
        "select r.id, r.referrer, r.state, r.reason from referrals r where r.referee = @Referee::text and r.state <> 'refused'";

    private const string WakeSql =
        """
        update referrals r set due_at = @Now::timestamptz
        where r.id = @Id::uuid and r.state in ('held', 'capped') and r.referee_grant is null
        returning r.id
        """;

    public async Task<IReadOnlyList<string>> AccountsAsync(
        NpgsqlConnection connection, string referee, CancellationToken cancellationToken) =>
        await FindAsync(connection, referee, cancellationToken) is { } found ? [found.Referrer, referee] : [referee];

    public async Task<Action?> ResumeAsync(
        NpgsqlConnection connection, PayableHold hold, bool isApproved, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (await FindAsync(connection, hold.AccountId, cancellationToken) is not { } found)
            return null;
        // Whichever it is, the referral is evaluated at once: a rejection cancels it, and an approval has it go on.
        var woken = await connection.QueryPreparedAsync<Guid>(
            WakeSql, [new("Id", NpgsqlDbType.Uuid) { Value = found.Id }, BookingStore.Time("Now", now)], cancellationToken);
        if (woken.Count > 0)
            return () => { };
        if (!isApproved || found is not { State: "canceled", Reason: ReferralReasons.ReviewRefused }
            || hold.Realm is not { } realm || rules.Current.Of(realm) is not { } terms)
            return null;
        var hasPlace = await ReferralStore.TakePlaceAsync(connection, found.Referrer, terms, now, cancellationToken);
        var move = new ReferralMove(
            found.Id, ReferralState.Canceled, hasPlace ? ReferralState.Held : ReferralState.Capped,
            hasPlace ? ReferralReasons.InReview : ReferralReasons.NoPlace)
        {
            TakesPlace = hasPlace, DueAt = now,
        };
        ReferralMoves.Check(move.From, move.To);
        return await ReferralStore.MoveAsync(connection, move, now, cancellationToken)
            ? () => metrics.Moved(move.To, move.Reason)
            : null;
    }

    private static async Task<FoundReferral?> FindAsync(
        NpgsqlConnection connection, string referee, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<FoundReferral>(
            FindSql, [new("Referee", NpgsqlDbType.Text) { Value = referee }], cancellationToken)) is [var found]
            ? found
            : null;

    private sealed record FoundReferral(Guid Id, string Referrer, string State, string? Reason);
}
