using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Review;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Asks the plan for each user of a batch what is due, before the batch is converged.</summary>
internal sealed class GrantPlanner(
    AccountFactsStore facts, PolicyActivation activation, HeldCodes? codes = null, ExperimentRuns? experiments = null,
    GrantReview? review = null)
{
    private static readonly Dictionary<string, ExperimentRun> NoRuns = [];

    private static readonly IReadOnlyDictionary<(string Realm, string KeycloakId), Verdict> NoVerdicts =
        new Dictionary<(string Realm, string KeycloakId), Verdict>();

    /// <summary>
    /// The batch with what its accounts open with under the policies, and the awards that follow. Where no policy concerns a user of the
    /// batch, it stays as it is and nothing is read.
    /// </summary>
    public async Task<PlannedBatch> PlanAsync(DesiredState[] batch, CancellationToken cancellationToken)
    {
        var redeemed = codes is null ? [] : await codes.FindAsync(batch, cancellationToken);
        var users = batch.Where(Concerns).Select(state => state.Grants!).ToList();
        if (users.Count == 0)
            return new PlannedBatch(batch, [], [], []) { Held = redeemed };
        var known = await facts.ReadAsync(
            users, batch.Any(state => state.Policies?.HasTopUps == true), cancellationToken);
        var verdicts = await VerdictsAsync(batch, known, redeemed, cancellationToken);
        Dictionary<(string Realm, RealmPolicies Policies), (
            IReadOnlyDictionary<string, DateTimeOffset> Active, IReadOnlyDictionary<string, ExperimentRun> Runs)> terms = [];
        List<DesiredState> states = new(batch.Length);
        List<Award> awards = [];
        List<NewHold> holds = [];
        List<TaskEvidence> evidence = [];
        List<ScheduledTime> times = [];
        List<AssignedUser> arms = [];
        foreach (var state in batch)
        {
            if (!Concerns(state))
            {
                states.Add(state);
                continue;
            }

            if (!terms.TryGetValue((state.Realm, state.Policies!), out var of))
            {
                of = (await activation.ActiveAsync(state.Realm, state.Policies!.Names, cancellationToken),
                    await RunsAsync(state, cancellationToken));
                terms.Add((state.Realm, state.Policies), of);
            }

            var (active, runs) = of;
            var verdict = verdicts.GetValueOrDefault((state.Realm, state.KeycloakId)) ?? Verdict.Unreviewed;
            List<Award> own = [];
            var (planned, plan, arm) = known.TryGetValue((state.Realm, state.KeycloakId), out var account)
                ? Planned(state, account with { Activated = active }, runs, own)
                : await OpenedAsync(state, active, runs, verdict, own, cancellationToken);
            states.Add(verdict.Outcome == ReviewOutcome.Undecided ? planned with { LeavesHint = true } : planned);
            awards.AddRange(verdict.IsPaid ? own : own.Select(award => award with { IsDue = false }));
            if (verdict.IsHeld)
                holds.AddRange(own.Where(award => award.IsDue).Select(award => review!.HoldOf(verdict, state.Grants!, award)));
            if (arm?.Arm is not null)
                arms.Add(new AssignedUser(state.Realm, state.KeycloakId, state.ReadAt, arm));
            evidence.AddRange(EvidenceOf(state, plan));
            if (plan.DecidesAt is { } decidesAt)
                times.Add(new ScheduledTime(state.Realm, state.KeycloakId, WelcomeTerms.Policy, decidesAt));
        }

        holds.AddRange(
            from code in redeemed
            join state in batch on (code.Realm, code.KeycloakId) equals (state.Realm, state.KeycloakId)
            where verdicts.GetValueOrDefault((code.Realm, code.KeycloakId))?.IsHeld == true
            select review!.HoldOf(verdicts[(code.Realm, code.KeycloakId)], state.Grants!, code, state.Source));
        return new PlannedBatch([.. states], awards, evidence, times)
        {
            Held = [.. redeemed.Where(code => verdicts.GetValueOrDefault((code.Realm, code.KeycloakId))?.IsPaid != false)],
            Holds = holds,
            Arms = arms,
        };
    }

    // Of users who get nothing no signal is asked; of new accounts it always is, as they open with something.
    private async Task<IReadOnlyDictionary<(string Realm, string KeycloakId), Verdict>> VerdictsAsync(
        DesiredState[] batch, IReadOnlyDictionary<(string Realm, string KeycloakId), AccountFacts> known,
        IReadOnlyList<HeldRedemption> redeemed, CancellationToken cancellationToken)
    {
        List<(DesiredState State, AccountFacts? Facts)> asked = [];
        if (review is not null)
        {
            var withCode = redeemed.Select(code => (code.Realm, code.KeycloakId)).ToHashSet();
            foreach (var state in batch.Where(state => Concerns(state) && state.Policies!.IsReviewed))
            {
                if (!known.TryGetValue((state.Realm, state.KeycloakId), out var account))
                    asked.Add((state, null));
                else if (state.State == UserState.Account && (withCode.Contains((state.Realm, state.KeycloakId)) || GrantPlan.Of(
                    state.Grants!,
                    account with { Activated = await activation.ActiveAsync(state.Realm, state.Policies!.Names, cancellationToken) },
                    state.Policies, state.ReadAt).Due.Count > 0))
                    asked.Add((state, account));
            }
        }

        return asked.Count == 0 ? NoVerdicts : await review!.OfAsync(asked, cancellationToken);
    }

    private async ValueTask<IReadOnlyDictionary<string, ExperimentRun>> RunsAsync(
        DesiredState state, CancellationToken cancellationToken) =>
        experiments is null || state.Policies!.Experiments.Count == 0
            ? NoRuns
            : await experiments.ActiveAsync(state.Realm, state.Policies.Experiments, cancellationToken);

    private static bool Concerns(DesiredState state) =>
        state is { Grants: not null, Policies: not null, State: UserState.Account or UserState.Held };

    private static PlannedUser Planned(
        DesiredState state, AccountFacts account, IReadOnlyDictionary<string, ExperimentRun> runs, List<Award> awards)
    {
        var arm = account.Withheld is null
            ? null
            : ExperimentPlan.Of(state.Grants!, account, state.Policies!.Experiments, runs);
        var plan = GrantPlan.Of(state.Grants!, account with { Arm = arm }, state.Policies!, state.ReadAt);
        if (state.State == UserState.Account)
            awards.AddRange(plan.Due.Select(due => AwardOf(state, due, arm)));
        return new(WithHint(state, plan), plan, arm);
    }

    // Under a policy the plan decides what waits for an address, and claims it: the converging statement opens with what is given at once.
    private async Task<PlannedUser> OpenedAsync(
        DesiredState state, IReadOnlyDictionary<string, DateTimeOffset> active, IReadOnlyDictionary<string, ExperimentRun> runs,
        Verdict verdict, List<Award> awards, CancellationToken cancellationToken)
    {
        var isWelcomed = state.Policies!.Welcome is not null && state.Opening is { Unlimited: false }
            && await activation.IsActiveAsync(state.Realm, WelcomeTerms.Policy, cancellationToken);
        var (share, plan, arm) = OpeningPlan.Of(state, active, isWelcomed, runs, verdict.WhileHeld);
        awards.AddRange(plan.Due.Select(due => AwardOf(state, due, arm) with { Withheld = WithheldOf(due, share), Opens = true }));
        awards.AddRange(plan.Offers.Where(offer => offer.Key == WelcomeTerms.Policy)
            .Select(offer => AwardOf(state, offer, arm) with { Withheld = WithheldOf(offer, share), Opens = true }));
        var opened = WithHint(state, plan) with
        {
            Opening = share is null ? state.Opening : state.Opening! with { Amount = share.AtOnce },
            Claim = share is null ? state.Claim : null,
            AwaitsVerification = share is null && state.AwaitsVerification,
        };
        return new(opened, plan, arm);
    }

    private static decimal WithheldOf(GrantOffer offer, Share? share) => offer.Key == WelcomeTerms.Policy ? share!.Withheld : 0m;

    // The worker reads in full what a listing or a token does not show.
    private static DesiredState WithHint(DesiredState state, PlannedGrants plan) =>
        state.State == UserState.Account && plan.Offers.Any(offer => offer.IsUndecided) && !state.Grants!.IsReadInFull
            ? state with { LeavesHint = true } : state;

    private static IEnumerable<TaskEvidence> EvidenceOf(DesiredState state, PlannedGrants plan) =>
    [
        .. plan.Settling.Select(task => new TaskEvidence(state.Realm, state.KeycloakId, task.Task, task.SeenAt, task.DueAt)),
        .. plan.Undone.Select(task => new TaskEvidence(state.Realm, state.KeycloakId, task, state.ReadAt, null)),
    ];

    private static Award AwardOf(DesiredState state, GrantOffer offer, WelcomeArm? arm)
    {
        GrantChoice[] choices = offer.Choices.Count > 0
            ? [.. offer.Choices.Select(choice => WithTerms(choice, state.Tiers))]
            : [new GrantChoice(null, offer.Credits, null, state.Policies!.Welcome?.ExpiresAfter, null)];
        var isDue = offer.Choices.Count > 0 && state.State == UserState.Account && (offer.Credits > 0 || choices[0].Rule is not null);
        return new(
            state.Realm, state.KeycloakId, state.ReadAt, state.Source, offer.Key, offer.Policy, offer.Version, choices[0], 0m, isDue)
        {
            Others = choices[1..],
            Evidence = EvidenceOf(state.Grants!, offer.Key == WelcomeTerms.Policy ? arm : null),
            Claim = state.Grants!.ClaimOf(OnceOf(state, offer)),
        };
    }

    // A top-up follows a welcome that was given, whose address is claimed.
    private static OncePer OnceOf(DesiredState state, GrantOffer offer) => offer.Key == WelcomeTerms.Policy
        ? state.Grants!.WelcomeOncePer
        : state.Policies!.Tasks.FirstOrDefault(task => task.Key == offer.Key)?.Once ?? OncePer.User;

    private static GrantChoice WithTerms(GrantChoice choice, TierCatalogue tiers) =>
        choice.Tier is { } tier && tiers.Find(tier) is { } terms
            ? choice with { Terms = new AwardedTier(terms.Tier, terms.MonthlyCap, terms.Unlimited) }
            : choice;

    // What a person may want to know later, without the address.
    private static string EvidenceOf(GrantUser user, WelcomeArm? arm) =>
        $"{{\"email_verified\":{(user.EmailVerified ? "true" : "false")}"
        + (arm?.Arm is null
            ? "}"
            : FormattableString.Invariant(
                $",\"experiment\":\"{arm.Experiment}\",\"experiment_version\":{arm.Version},\"arm\":\"{arm.Arm}\"}}"));

    private sealed record PlannedUser(DesiredState State, PlannedGrants Plan, WelcomeArm? Arm);
}

/// <param name="States">The batch as it is to be converged.</param>
/// <param name="Awards">What follows in the same transaction.</param>
/// <param name="Evidence">What is kept about tasks that are not paid yet.</param>
/// <param name="Times">When users are evaluated again.</param>
internal sealed record PlannedBatch(
    DesiredState[] States, IReadOnlyList<Award> Awards, IReadOnlyList<TaskEvidence> Evidence, IReadOnlyList<ScheduledTime> Times)
{
    /// <summary>Redemptions of codes that are paid in the same transaction.</summary>
    public IReadOnlyList<HeldRedemption> Held { get; init; } = [];

    /// <summary>Users of arms of experiments: those that are assigned now, and those whose welcome is not decided yet.</summary>
    public IReadOnlyList<AssignedUser> Arms { get; init; } = [];

    /// <summary>Grants that are held back in the same transaction.</summary>
    public IReadOnlyList<NewHold> Holds { get; init; } = [];

    /// <summary>Whether one of these grants has an end.</summary>
    public bool HasEnds => Awards.Any(award => award.HasEnd) || Held.Any(held => held.ExpiresAfter is not null);

    public bool HasGrants => Awards.Count + Evidence.Count + Held.Count + Times.Count + Arms.Count + Holds.Count > 0;
}
