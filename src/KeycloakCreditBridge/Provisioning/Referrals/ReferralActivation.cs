using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Referrals;

namespace KeycloakCreditBridge.Provisioning.Referrals;

/// <summary>Says where referrals are given. They wait until no replica runs that would lose those of renamed accounts.</summary>
internal sealed class ReferralActivation(PolicyActivation activation, Hot<ReferralRules> rules)
{
    /// <summary>The terms of a realm, whether they are active or not; null where it has no referrals.</summary>
    public ReferralTerms? ConfiguredOf(string realm) => rules.Current.Of(realm);

    /// <summary>The terms of a realm; null where it has no referrals, or they are disabled or not active yet.</summary>
    public async ValueTask<ReferralTerms?> TermsAsync(string realm, CancellationToken cancellationToken) =>
        rules.Current.Of(realm) is { } terms
        && await activation.IsActiveAsync(realm, ReferralTerms.Policy, cancellationToken, ReferralTerms.Migration)
        && (await activation.ActiveAsync(realm, [ReferralTerms.Policy], cancellationToken)).ContainsKey(ReferralTerms.Policy)
            ? terms
            : null;
}
