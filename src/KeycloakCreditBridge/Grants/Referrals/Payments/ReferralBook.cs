using System.Globalization;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Grants.Review.Holds;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Referrals.Payments;

/// <summary>
/// Carries referrals out. Each step is decided by facts that were read under the locks of both accounts, and is one transaction: killed
/// anywhere, both sides are paid or none.
/// </summary>
internal sealed class ReferralBook(
    NpgsqlDataSource dataSource, GrantEnds ends, ReferralMetrics metrics, TimeProvider clock, HoldMetrics? holdMetrics = null)
{
    /// <summary>What follows for a referral without asking Keycloak; null where it cannot be evaluated.</summary>
    public async Task<(ReferralFacts Facts, ReferralStep Step)?> NextAsync(
        Guid id, ReferralTerms terms, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await ReferralStore.FactsAsync(connection, id, terms, cancellationToken) is { } facts
            ? (facts, ReferralPlan.Of(facts, null, terms, clock.GetUtcNow()))
            : null;
    }

    /// <summary>Carries out the next step of a referral, and the one after it where that is due at once.</summary>
    /// <param name="id">The referral.</param>
    /// <param name="users">What Keycloak says; null where it was not asked.</param>
    /// <param name="terms">Those of the realm.</param>
    /// <param name="cancellationToken">Ends the work between steps.</param>
    /// <returns>The accounts whose balances changed.</returns>
    public async Task<IReadOnlyList<string>> CarryOutAsync(
        Guid id, ReferralUsers? users, ReferralTerms terms, CancellationToken cancellationToken)
    {
        await ends.EnsureAsync(terms.ExpiresAfter is not null, cancellationToken);
        while (true)
        {
            var done = await StepAsync(id, users, terms, cancellationToken);
            if (!done.Moved || done.Paid.Count > 0)
                return done.Paid;
        }
    }

    private async Task<Done> StepAsync(Guid id, ReferralUsers? users, ReferralTerms terms, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await ReferralStore.AccountsAsync(connection, id, cancellationToken) is not { } accounts)
            return Done.Nothing;
        var locked = await BookingStore.LockAsync(connection, accounts.All, all: true, ends.At, cancellationToken);
        // An account that was renamed meanwhile is found by the next evaluation.
        if (locked.Count != accounts.All.Length
            || await ReferralStore.FactsAsync(connection, id, terms, cancellationToken) is not { } facts)
            return Done.Nothing;
        var now = clock.GetUtcNow();
        var step = ReferralPlan.Of(facts, users, terms, now);
        var from = ReferralMoves.Parse(facts.State);
        if (step.AsksKeycloak)
            return Done.Nothing;
        var held = step.OpensHold
            ? await HoldStore.OpenAsync(
                connection, [users!.Hold! with { Credits = facts.RefereeCredits!.Value }], now, cancellationToken)
            : [];
        if (step.State is null && !step.PaysReferee)
        {
            await ReferralStore.WaitAsync(connection, id, step, now, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            holdMetrics?.Opened(held);
            return Done.Nothing;
        }

        var move = step.PaysReferee
            ? await PayAsync(connection, facts, users, from, terms, locked[0].At, now, cancellationToken)
            : await MoveOfAsync(connection, facts, users, from, step, terms, locked[0].At, now, cancellationToken);
        if (move is null)
            return Done.Nothing;
        if (move.To != from)
            ReferralMoves.Check(from, move.To);
        if (!await ReferralStore.MoveAsync(connection, move, now, cancellationToken))
            return Done.Nothing;
        await transaction.CommitAsync(cancellationToken);
        holdMetrics?.Opened(held);
        if (move.To != from)
            metrics.Moved(move.To, move.Reason);
        var (toReferrer, toReferee) = (move.ReferrerGrant is not null, move.RefereeGrant is not null);
        if (!toReferee)
            return new Done(true, []);
        metrics.Paid(toReferrer ? facts.ReferrerCredits!.Value : 0m, facts.RefereeCredits!.Value);
        return new Done(true, toReferrer ? [facts.Referrer, facts.Referee] : [facts.Referee]);
    }

    private async Task<ReferralMove?> MoveOfAsync(
        NpgsqlConnection connection, ReferralFacts facts, ReferralUsers? users, ReferralState from, ReferralStep step, ReferralTerms terms,
        DateTimeOffset at, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var move = new ReferralMove(facts.Id, from, step.State!.Value, step.Reason);
        switch (move.To)
        {
            case ReferralState.Pending when from == ReferralState.Touched:
                var hasPlace = await ReferralStore.TakePlaceAsync(connection, facts.Referrer, terms, now, cancellationToken);
                return move with
                {
                    To = hasPlace ? ReferralState.Pending : ReferralState.Capped,
                    Reason = hasPlace ? null : ReferralReasons.NoPlace,
                    TakesPlace = hasPlace,
                    SettlesAt = now + terms.Settle,
                    DueAt = now + terms.Settle,
                    ReferrerCredits = terms.ReferrerCredits,
                    RefereeCredits = terms.RefereeCredits,
                };
            case ReferralState.Pending or ReferralState.Earned or ReferralState.Held:
                return move with { DueAt = now };
            case ReferralState.Paid:
                return await PayAsync(connection, facts, users, from, terms, at, now, cancellationToken);
            default:
                await ReferralStore.FreePlaceAsync(connection, facts.Id, cancellationToken);
                return move with { FreesPlace = true };
        }
    }

    // Null where a grant is there already: then neither is paid, and the next evaluation says why.
    private async Task<ReferralMove?> PayAsync(
        NpgsqlConnection connection, ReferralFacts facts, ReferralUsers? users, ReferralState from, ReferralTerms terms, DateTimeOffset at,
        DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (!await ClaimStore.TakeAllAsync(
            connection, users?.Referee?.Claims.Select(claim => new AskedClaim(claim, ReferralTerms.Policy)) ?? [], facts.Referee, now,
            cancellationToken))
        {
            await ReferralStore.FreePlaceAsync(connection, facts.Id, cancellationToken);
            return new ReferralMove(facts.Id, from, ReferralState.Canceled, ReferralReasons.AlreadyReceived) { FreesPlace = true };
        }

        var paysBoth = from == ReferralState.Earned;
        if (paysBoth && terms.Budget is { } budget)
        {
            paysBoth = await BudgetStore.TakeAsync(
                connection, $"{facts.Realm}:{ReferralTerms.Policy}:", budget, facts.ReferrerCredits!.Value, ends.At, cancellationToken);
        }

        var isCapped = from == ReferralState.Earned && !paysBoth;
        if (isCapped)
            await ReferralStore.FreePlaceAsync(connection, facts.Id, cancellationToken);
        var given = ReferralTerms.GivenKey(facts.Id);
        NewGrant[] grants = [
            .. paysBoth ? [Grant(facts.Referrer, given, facts.ReferrerCredits!.Value, facts, terms, at)] : Array.Empty<NewGrant>(),
            Grant(facts.Referee, ReferralTerms.ReceivedKey, facts.RefereeCredits!.Value, facts, terms, at),
        ];
        if ((await GrantStore.GiveAsync(connection, grants, now, cancellationToken)).Count != grants.Length)
            return null;
        return new ReferralMove(
            facts.Id, from, paysBoth ? ReferralState.Paid : ReferralState.Capped,
            paysBoth ? null : isCapped ? ReferralReasons.BudgetUsedUp : ReferralReasons.NoPlace)
        {
            ReferrerGrant = paysBoth ? given : null, RefereeGrant = ReferralTerms.ReceivedKey, FreesPlace = isCapped,
        };
    }

    private static NewGrant Grant(
        string account, string key, decimal amount, ReferralFacts facts, ReferralTerms terms, DateTimeOffset at) => new(
        account, key, amount, "bonus",
        $"{{\"reason\":\"policy\",\"policy\":\"{ReferralTerms.Policy}\",\"version\":\"{terms.Version}\",\"referral\":\"{facts.Id}\"}}",
        new GrantStamp(
            GrantCategory.Promotional, Lot.DefaultPriority, at + terms.ExpiresAfter, ReferralTerms.Policy, terms.Version,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{{\"referral\":\"{facts.Id}\",\"email_verified\":true,\"spent\":{facts.Spent:0.######}}}")));

    /// <param name="Moved">Whether the state changed.</param>
    /// <param name="Paid">The accounts whose balances changed.</param>
    private sealed record Done(bool Moved, IReadOnlyList<string> Paid)
    {
        public static readonly Done Nothing = new(false, []);
    }
}
