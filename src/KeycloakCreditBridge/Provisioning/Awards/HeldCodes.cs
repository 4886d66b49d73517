using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Finds redemptions of codes that a batch's users meet the requirements of. Where codes are not used, nothing is read.</summary>
internal sealed class HeldCodes(HeldRedemptionStore redemptions, CodeHasher hasher, Hot<GrantPolicy> policies)
{
    public async Task<IReadOnlyList<HeldRedemption>> FindAsync(DesiredState[] batch, CancellationToken cancellationToken)
    {
        var users = hasher.IsReady
            ? batch.Where(state => state.State == UserState.Account)
                .ToDictionary(state => (state.Realm, state.KeycloakId), state => state.VerifiedAddress)
            : [];
        if (users.Count == 0)
            return [];
        var found = await redemptions.FindAsync(
            [.. users.Select(user => (user.Key.Realm, user.Key.KeycloakId, user.Value is not null))], cancellationToken);
        return [
            .. from held in found
               let claim = ClaimOf(held, users[(held.Realm, held.KeycloakId)])
               where held.Once == OncePer.User || claim is not null
               select held with { Claim = claim }];
    }

    private Claim? ClaimOf(HeldRedemption held, string? address) =>
        held.Once == OncePer.User ? null : policies.Current.RulesOf(held.Realm).ClaimOf(address, held.Once);
}
