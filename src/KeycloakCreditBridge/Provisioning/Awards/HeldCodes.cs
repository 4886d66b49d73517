using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Finds redemptions of codes that a batch's users meet the requirements of. Where codes are not used, nothing is read.</summary>
internal sealed class HeldCodes(HeldRedemptionStore redemptions, CodeHasher hasher)
{
    public async Task<IReadOnlyList<HeldRedemption>> FindAsync(DesiredState[] batch, CancellationToken cancellationToken)
    {
        (string, string, bool)[] users = hasher.IsReady
            ? [.. batch.Where(state => state.State == UserState.Account)
                .Select(state => (state.Realm, state.KeycloakId, state.HasVerifiedAddress))]
            : [];
        return users.Length == 0 ? [] : await redemptions.FindAsync(users, cancellationToken);
    }
}
