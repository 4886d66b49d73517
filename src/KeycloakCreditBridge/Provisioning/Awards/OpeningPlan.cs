using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>The plan of a user whose account is opened now. Pure.</summary>
internal static class OpeningPlan
{
    /// <param name="state">A user of a realm with policies.</param>
    /// <param name="active">Since when its policies are active.</param>
    /// <param name="isWelcomed">Whether the welcome is.</param>
    public static OpenedGrants Of(DesiredState state, IReadOnlyDictionary<string, DateTimeOffset> active, bool isWelcomed)
    {
        var (user, policies) = (state.Grants!, state.Policies!);
        var share = isWelcomed && policies.Welcome is { } welcome && state.Opening is { Unlimited: false } opening
            ? welcome.ShareOf(user, opening.Amount)
            : null;
        // The account is opened after the policies were activated, whatever the clock said when Keycloak was asked.
        var account = new AccountFacts(active.Values.Append(state.ReadAt).Max(), share?.Withheld, share?.AtOnce ?? 0m)
        {
            Activated = active,
        };
        return new OpenedGrants(share, GrantPlan.Of(user, account, policies, state.ReadAt));
    }
}

/// <param name="Share">What the account opens with; null where no welcome decides that.</param>
/// <param name="Plan">What follows.</param>
internal sealed record OpenedGrants(Share? Share, PlannedGrants Plan);
