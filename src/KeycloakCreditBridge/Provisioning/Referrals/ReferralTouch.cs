using KeycloakCreditBridge.Grants.Referrals.Touches;

namespace KeycloakCreditBridge.Provisioning.Referrals;

/// <summary>Takes what may be a referral code, from the user itself or with its attribution.</summary>
internal sealed class ReferralTouch(ReferralActivation activation, TouchStore touches, TimeProvider clock)
{
    /// <summary>Keeps that an account gave a code. A text that is no code is ignored.</summary>
    public async Task TouchAsync(string realm, string accountId, string text, CancellationToken cancellationToken)
    {
        if (ReferralCode.Read(text) is { } code && await activation.TermsAsync(realm, cancellationToken) is not null)
            await touches.TouchAsync(accountId, code, clock.GetUtcNow(), cancellationToken);
    }
}
