using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>The plan of a user whose account is opened now. Pure.</summary>
internal static class OpeningPlan
{
    /// <param name="state">A user of a realm with policies.</param>
    /// <param name="active">Since when its policies are active.</param>
    /// <param name="isWelcomed">Whether the welcome is.</param>
    /// <param name="runs">The experiments that run, by key; null to take all as they are configured.</param>
    /// <param name="whileHeld">What the account opens with while a review holds its grants back; null where none does.</param>
    public static OpenedGrants Of(
        DesiredState state, IReadOnlyDictionary<string, DateTimeOffset> active, bool isWelcomed,
        IReadOnlyDictionary<string, ExperimentRun>? runs = null, decimal? whileHeld = null)
    {
        var (user, policies) = (state.Grants!, state.Policies!);
        // The account is opened after the policies were activated, whatever the clock said when Keycloak was asked.
        var account = new AccountFacts(active.Values.Append(state.ReadAt).Max(), null)
        {
            Activated = active, IsOpenedByHand = state.Source == HintSources.Backfill,
        };
        if (!isWelcomed || policies.Welcome is not { } welcome || state.Opening is not { Unlimited: false } opening)
            return new OpenedGrants(null, GrantPlan.Of(user, account, policies, state.ReadAt), null);
        var arm = ExperimentPlan.Of(user, account with { OpenedAt = state.ReadAt }, policies.Experiments, runs);
        var share = welcome.ShareOf(user, opening.Amount, arm);
        if (whileHeld is { } most)
            share = share.WhileHeld(most);
        return new OpenedGrants(
            share,
            GrantPlan.Of(
                user, account with { Withheld = share.Withheld, OpenedWith = share.AtOnce, Arm = arm }, policies, state.ReadAt),
            arm);
    }
}

/// <param name="Share">What the account opens with; null where no welcome decides that.</param>
/// <param name="Plan">What follows.</param>
/// <param name="Arm">What an experiment says; null without one.</param>
internal sealed record OpenedGrants(Share? Share, PlannedGrants Plan, WelcomeArm? Arm);
