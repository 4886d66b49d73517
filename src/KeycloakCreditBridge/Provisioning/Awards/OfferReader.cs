using System.Collections.Concurrent;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Tasks;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>
/// Says which grants an account may still earn. Keycloak is asked only where something is owed, and once a minute for a user; where it does
/// not answer, everything that is required counts as missing.
/// </summary>
internal sealed class OfferReader(
    SubjectReader subjects, Hot<GrantPolicy> hot, AccountFactsStore facts, PolicyActivation activation, HintWriter hints,
    HoldListStore holds, TimeProvider clock)
{
    private const int Capacity = 10_000;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<(string Realm, string KeycloakId), (long ReadAt, DesiredState? State)> _read = new();

    /// <summary>
    /// Grants that wait or lapsed, and those that a review holds back or refused. One whose requirements are met meanwhile is shown too,
    /// and follows within moments.
    /// </summary>
    public async Task<IReadOnlyList<GrantOffer>> ReadAsync(string accountId, CancellationToken cancellationToken) =>
    [
        .. (await holds.OfAccountAsync(accountId, cancellationToken))
            .Where(hold => HoldMoves.Parse(hold.State) != HoldState.Approved).Select(OfferOf),
        .. await EarnedAsync(accountId, cancellationToken),
    ];

    // Neither score nor signals are told.
    private static GrantOffer OfferOf(ReviewedGrant hold) => new(
        hold.GrantKey, hold.Credits,
        HoldMoves.Parse(hold.State) == HoldState.Held ? OfferStates.InReview : OfferStates.Refused, [], null, hold.Policy, "");

    private async Task<IReadOnlyList<GrantOffer>> EarnedAsync(string accountId, CancellationToken cancellationToken)
    {
        var policy = hot.Current;
        if (await facts.OfAccountAsync(accountId, cancellationToken) is not { } owed
            || policy.PoliciesOf(owed.Realm) is not { } policies)
            return [];
        var active = await activation.ActiveAsync(owed.Realm, policies.Names, cancellationToken);
        if (owed.Facts.Withheld is null && !policies.Tasks.Any(task => TaskPlan.IsOpen(task, owed.Facts with { Activated = active })))
            return [];
        var user = await UserAsync(policy, owed.Realm, owed.KeycloakId, cancellationToken)
            ?? new GrantUser(owed.Realm, owed.KeycloakId, null) { WelcomeOncePer = policy.RulesOf(owed.Realm).OncePer };
        var known = user is { EmailClaim: null, InboxClaim: null }
            ? owed.Facts
            : (await facts.ReadAsync([user], topsUp: false, cancellationToken)).GetValueOrDefault((user.Realm, user.KeycloakId))
                ?? owed.Facts;
        var plan = GrantPlan.Of(user, known with { Activated = active }, policies, clock.GetUtcNow());
        if (plan.Due.Count > 0)
        {
            await hints.WriteAsync(
                [new UserHint(owed.Realm, owed.KeycloakId, HintKind.Changed, HintCauses.GrantsRead, HintSources.FirstRead)],
                cancellationToken);
        }

        return [.. plan.Due, .. plan.Offers];
    }

    private async Task<GrantUser?> UserAsync(GrantPolicy policy, string realm, string keycloakId, CancellationToken cancellationToken)
    {
        if (_read.TryGetValue((realm, keycloakId), out var last) && clock.GetElapsedTime(last.ReadAt) < Interval)
            return last.State?.Grants;
        DesiredState? state = null;
        try
        {
            if (await subjects.ReadAsync(policy, realm, keycloakId, cancellationToken) is { } subject)
                state = policy.Evaluate(subject, clock.GetUtcNow(), HintSources.FirstRead);
        }
        catch (KeycloakException)
        {
            // A policy makes no read fail: the offer is shown as it is known.
        }

        if (_read.Count >= Capacity)
            _read.Clear();
        _read[(realm, keycloakId)] = (clock.GetTimestamp(), state);
        return state?.Grants;
    }
}
