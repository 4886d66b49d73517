using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether codes that exist can be redeemed with the configured key.</summary>
internal sealed class CodeChecks(CampaignStore campaigns, CodeHasher hasher, IOptions<ProvisioningOptions> provisioning)
{
    public async Task<Finding> KeyAsync(CancellationToken cancellationToken)
    {
        if (!await campaigns.AnyAsync(cancellationToken))
            return Finding.Ok("there are no codes");
        if (!hasher.IsReady)
            return Finding.Fail("codes exist, and Grants:Codes:Key is missing", "set the key that they were made with");
        if (provisioning.Value.SignupGrant.EmailKey.Length == 0 && await campaigns.AnyOnceAsync(cancellationToken))
        {
            return Finding.Fail(
                "campaigns pay an address once, and Provisioning:SignupGrant:EmailKey is missing: their places are kept and never paid",
                "set the key that addresses were remembered with");
        }

        return await campaigns.HasOtherKeyAsync(hasher.Check, cancellationToken)
            ? Finding.Warn(
                "codes were made with another key and cannot be redeemed",
                "put that key back into Grants:Codes:Key, or make new codes with `codes create`")
            : Finding.Ok("codes can be redeemed with this key");
    }
}
