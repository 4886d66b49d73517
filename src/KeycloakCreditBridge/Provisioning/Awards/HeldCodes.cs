using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Finds redemptions of codes that a batch's users meet the requirements of. Where codes are not used, nothing is read.</summary>
internal sealed partial class HeldCodes(
    HeldRedemptionStore redemptions, CodeHasher hasher, Hot<GrantPolicy> policies, SubjectReader subjects, ILogger<HeldCodes> logger)
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
        List<HeldRedemption> payable = [];
        foreach (var held in found)
        {
            if (held.Once == OncePer.User)
                payable.Add(held);
            else if (await ClaimsOfAsync(held, users[(held.Realm, held.KeycloakId)], cancellationToken) is { Count: > 0 } claims)
                payable.Add(held with { Claims = claims });
        }

        return payable;
    }

    // What cannot be read leaves the place kept: it is paid at a later evaluation.
    private async Task<IReadOnlyList<Claim>> ClaimsOfAsync(HeldRedemption held, string? address, CancellationToken cancellationToken)
    {
        var rules = policies.Current.RulesOf(held.Realm);
        if (rules.ClaimOf(address, held.Once) is not { } claim)
            return [];
        try
        {
            return [
                claim, .. rules.ClaimsOf(held.Realm, await subjects.IdentitiesAsync(held.Realm, held.KeycloakId, cancellationToken)),
            ];
        }
        catch (KeycloakException exception)
        {
            LogUnread(held.Campaign, exception.Message);
            return [];
        }
    }

    [LoggerMessage(EventId = 431, Level = LogLevel.Warning,
        Message = "A kept place of the campaign {Campaign} is not paid yet, as the user's identity providers cannot be read: {Reason}")]
    private partial void LogUnread(string campaign, string reason);
}
