using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>
/// Decides holds. An approval pays in the same transaction: what was stamped at the hold, and only where the inbox was not paid before. A
/// decision that cannot be carried out leaves the hold open.
/// </summary>
internal sealed class HoldBook(
    NpgsqlDataSource dataSource, GrantEnds ends, IReviewedReferrals referrals, PolicyMetrics policyMetrics, HoldMetrics metrics,
    TimeProvider clock)
{
    /// <summary>What stands for the time that is over, in place of an operator.</summary>
    public const string ByTime = "time";

    /// <summary>The same for users who paid.</summary>
    public const string ByPayment = "paid";

    /// <summary>Characters of an appeal.</summary>
    public const int LongestAppeal = 2_000;

    /// <summary>Holds that lapse in one go.</summary>
    public const int MostAtOnce = 100;

    // Named here too, as referrals use holds.
    private const string ReferralPolicy = "referral";

    private static readonly TimeSpan LapseRetry = TimeSpan.FromDays(1);

    // What a later approval may pay.
    private static readonly DecisionOutcome[] Passing =
        [DecisionOutcome.AccountNotActive, DecisionOutcome.BudgetUsedUp, DecisionOutcome.PolicyDisabled];

    private HoldTurn _turn = HoldTurn.First;

    /// <summary>Approves or rejects a hold.</summary>
    /// <param name="order">The decision.</param>
    /// <param name="realms">Those of the caller; null for all.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <exception cref="Storage.Migrations.OlderReplicasException">A live replica would spend ended credits.</exception>
    public async Task<DecisionResult> DecideAsync(HoldDecision order, string[]? realms, CancellationToken cancellationToken)
    {
        PayableHold? seen;
        await using (var looking = await dataSource.OpenConnectionAsync(cancellationToken))
            seen = await HoldStore.FindAsync(looking, order.Id, realms, cancellationToken);
        if (seen is null)
            return new DecisionResult(DecisionOutcome.Unknown);
        await ends.EnsureAsync(
            order.To == HoldState.Approved && HoldTerms.Read(seen.Terms).ExpiresAfter is not null, cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var accounts = seen.Policy == ReferralPolicy
            ? await referrals.AccountsAsync(connection, seen.AccountId, cancellationToken) : [seen.AccountId];
        await HoldStore.LockAsync(connection, seen, accounts, ends.At, cancellationToken);
        // An account that was renamed meanwhile is not the one that is locked.
        if (await HoldStore.FindAsync(connection, order.Id, realms, cancellationToken) is not { } hold || hold.AccountId != seen.AccountId)
            return Left(DecisionOutcome.Changed, seen);
        var from = HoldMoves.Parse(hold.State);
        if (hold.Version != order.Version || !HoldMoves.IsAllowed(from, order.To))
            return Left(DecisionOutcome.Changed, hold);
        var now = clock.GetUtcNow();
        if (!await HoldStore.DecideAsync(connection, order, now, cancellationToken))
            return Left(DecisionOutcome.Changed, hold);
        IReadOnlyList<AwardedGrant> given = [];
        var resumed = hold.Policy == ReferralPolicy
            ? await referrals.ResumeAsync(connection, hold, order.To == HoldState.Approved, now, cancellationToken) : null;
        if (order.To == HoldState.Approved)
        {
            var (outcome, grants) = await PayAsync(connection, hold, resumed is not null, now, cancellationToken);
            if (outcome != DecisionOutcome.Done)
                return Left(outcome, hold);
            given = grants;
        }
        else if (CodeOf(hold) is { } code
            && await ReviewedRedemptionStore.FindAsync(connection, hold.AccountId, code, cancellationToken) is { } redemption)
        {
            await HeldRedemptionStore.EndAsync(
                connection, new EndedRedemption(redemption.CampaignId, hold.AccountId, RedemptionStates.Held, Release: true, By(hold)), now,
                cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        policyMetrics.Given(given);
        metrics.Decided(order.To, hold);
        resumed?.Invoke();
        return new DecisionResult(DecisionOutcome.Done, HoldMoves.Name(order.To), hold.AccountId, hold.Credits);
    }

    /// <summary>Puts a refused grant of an account back into the queue, once.</summary>
    public async Task<AppealOutcome> AppealAsync(string account, string grant, string text, CancellationToken cancellationToken)
    {
        var appealed = await HoldStore.AppealAsync(dataSource, account, grant, text, clock.GetUtcNow(), cancellationToken);
        if (appealed is { IsReopened: true })
            metrics.Appealed();
        return appealed switch
        {
            null => AppealOutcome.Unknown,
            { IsReopened: true } => AppealOutcome.Done,
            { IsAppealed: true } => AppealOutcome.AlreadyAppealed,
            { State: var state } => HoldMoves.Parse(state) == HoldState.Approved ? AppealOutcome.Approved : AppealOutcome.InReview,
        };
    }

    /// <summary>
    /// Ends holds that were not decided in time: as their realm's settings said at the hold, and as a rejection where nothing can be paid.
    /// Holds of users who paid since are approved.
    /// </summary>
    /// <returns>How many were due, <see cref="MostAtOnce"/> where there may be more.</returns>
    public async Task<int> LapseAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var due = await DueHoldStore.DueAsync(dataSource, _turn, now, LapseRetry, MostAtOnce, cancellationToken);
        foreach (var hold in due)
        {
            var outcome = hold.LapseApproves || hold.IsPaid
                ? (await DecideAsync(
                    new HoldDecision(hold.Id, hold.Version, HoldState.Approved, hold.IsPaid ? ByPayment : ByTime), null,
                    cancellationToken)).Outcome
                : DecisionOutcome.NotPayable;
            if (outcome is DecisionOutcome.Done or DecisionOutcome.Changed)
                continue;
            if (!hold.IsOver || Passing.Contains(outcome))
                await DueHoldStore.CheckedAsync(dataSource, hold, now, cancellationToken);
            else
                await DecideAsync(new HoldDecision(hold.Id, hold.Version, HoldState.Lapsed, ByTime), null, cancellationToken);
        }

        if (due.Count < MostAtOnce)
            _turn = await DueHoldStore.NextAsync(dataSource, _turn, cancellationToken);
        return Math.Min(due.Count, MostAtOnce);
    }

    private async Task<(DecisionOutcome Outcome, IReadOnlyList<AwardedGrant> Given)> PayAsync(
        NpgsqlConnection connection, PayableHold hold, bool isResumed, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (hold is not { AccountStatus: "active", Realm: not null, KeycloakId: not null })
            return (DecisionOutcome.AccountNotActive, []);
        if (CodeOf(hold) is { } code)
            return (await PayCodeAsync(connection, hold, code, now, cancellationToken), []);
        if (hold.DisabledAt is not null)
            return (DecisionOutcome.PolicyDisabled, []);
        if (!await TakeInboxAsync(connection, hold, hold.Policy, now, cancellationToken))
            return (DecisionOutcome.InboxTaken, []);
        if (hold.Policy == ReferralPolicy)
            return (isResumed ? DecisionOutcome.Done : DecisionOutcome.NotPayable, []);
        var terms = HoldTerms.Read(hold.Terms);
        var award = new Award(
            hold.Realm, hold.KeycloakId, DateTimeOffset.MaxValue, terms.Source, hold.GrantKey, hold.Policy, hold.PolicyVersion ?? "",
            new GrantChoice(terms.Rule, hold.Credits, terms.Budget, terms.ExpiresAfter, terms.Tier?.Name) { Terms = terms.Tier }, 0m,
            IsDue: true)
        {
            Evidence = terms.Evidence,
        };
        var given = await AwardStore.GiveAsync(connection, [award], now, ends.At, cancellationToken);
        // What stands for an arm in the place of a rule: the user was assigned at the hold, and is exposed now.
        if (given.Count > 0 && hold.GrantKey == WelcomeTerms.Policy && terms.Rule?.Split(':') is ["experiment", var experiment, var arm])
        {
            await AssignmentStore.KeepAsync(
                connection,
                [
                    new AssignedUser(hold.Realm, hold.KeycloakId, now, new WelcomeArm(experiment, 0, arm, 0, hold.Credits, null))
                    {
                        IsExposed = true,
                    },
                ],
                now, cancellationToken);
        }

        return given.Count > 0 ? (DecisionOutcome.Done, given)
            : (terms.Budget is null ? DecisionOutcome.NotPayable : DecisionOutcome.BudgetUsedUp, []);
    }

    private async Task<DecisionOutcome> PayCodeAsync(
        NpgsqlConnection connection, PayableHold hold, Guid code, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (await ReviewedRedemptionStore.FindAsync(connection, hold.AccountId, code, cancellationToken) is not { } redemption)
            return DecisionOutcome.NotPayable;
        if (!await TakeInboxAsync(connection, hold, $"{RedemptionStore.KeyPrefix}{redemption.CampaignId}", now, cancellationToken))
            return DecisionOutcome.InboxTaken;
        if (hold.AppealedAt is not null)
            await ReviewedRedemptionStore.RetakeAsync(connection, redemption, By(hold), cancellationToken);
        return await HeldRedemptionStore.PayAsync(connection, [redemption], now, ends.At, cancellationToken) > 0
            ? DecisionOutcome.Done
            : DecisionOutcome.NotPayable;
    }

    private static async Task<bool> TakeInboxAsync(
        NpgsqlConnection connection, PayableHold hold, string policy, DateTimeOffset now, CancellationToken cancellationToken) =>
        HeldClaim.Read(hold.Claims) is not { } claim
        || await ClaimStore.TakeAsync(connection, new AskedClaim(claim, policy), hold.AccountId, now, cancellationToken);

    // Ids of codes stand behind the prefix; other grants have no such keys.
    private static Guid? CodeOf(PayableHold hold) =>
        hold.GrantKey.StartsWith(RedemptionStore.KeyPrefix, StringComparison.Ordinal)
        && Guid.TryParse(hold.GrantKey.AsSpan(RedemptionStore.KeyPrefix.Length), out var code) ? code : null;

    private static string By(PayableHold hold) => $"hold:{hold.Id}";

    private static DecisionResult Left(DecisionOutcome outcome, PayableHold hold) =>
        new(outcome, hold.State, hold.AccountId, hold.Credits);
}

/// <summary>What a decision does to the referral that is held. Referrals, which use holds, say how.</summary>
internal interface IReviewedReferrals
{
    /// <summary>The accounts that a decision locks: both of the referral; the referee's alone where there is none.</summary>
    Task<IReadOnlyList<string>> AccountsAsync(NpgsqlConnection connection, string referee, CancellationToken cancellationToken);

    /// <summary>Has the referral go on, whose accounts the transaction has locked.</summary>
    /// <param name="connection">In the transaction of the decision.</param>
    /// <param name="hold">Of what the referee is paid.</param>
    /// <param name="isApproved">Then a referral that an earlier decision ended goes on too, as far as the referrer has a place.</param>
    /// <param name="now">The time of the decision.</param>
    /// <param name="cancellationToken">Ends the statements.</param>
    /// <returns>What is counted once the decision is committed; null where no referral waits for it.</returns>
    Task<Action?> ResumeAsync(
        NpgsqlConnection connection, PayableHold hold, bool isApproved, DateTimeOffset now, CancellationToken cancellationToken);
}
