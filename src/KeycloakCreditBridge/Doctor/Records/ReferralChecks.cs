using System.Globalization;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether referrals are evaluated, whether some are on hold, and whether users are remembered that were paid.</summary>
internal sealed class ReferralChecks(ReferralListStore referrals, Hot<ReferralRules> rules, IOptions<ProvisioningOptions> provisioning)
{
    // The alert has the same limit.
    private static readonly TimeSpan LateAfter = TimeSpan.FromMinutes(15);

    /// <summary>None where no realm has referrals.</summary>
    public IEnumerable<DoctorCheck> All() => rules.Current.IsEmpty
        ? []
        : [new("referrals", null, EvaluatedAsync), new("repeated referrals", null, _ => Task.FromResult(Remembered()))];

    private Finding Remembered() => provisioning.Value.SignupGrant.EmailKey.Length > 0
        ? Finding.Ok("users that were paid for a referral are remembered")
        : Finding.Warn(
            "a user that is deleted and registers again is paid for a referral again",
            "set Provisioning:SignupGrant:EmailKey, a random secret: inboxes that were paid are remembered by it");

    private async Task<Finding> EvaluatedAsync(CancellationToken cancellationToken)
    {
        var backlog = await referrals.BacklogAsync(cancellationToken);
        if (backlog.OldestDueSeconds > LateAfter.TotalSeconds)
        {
            return Finding.Warn(
                string.Create(
                    CultureInfo.InvariantCulture, $"referrals are not evaluated, the oldest is due since {backlog.OldestDueSeconds:0} s"),
                "check that the service runs, and its log for events 428 and 429");
        }

        return backlog.Held > 0
            ? Finding.Warn(
                string.Create(CultureInfo.InvariantCulture, $"{backlog.Held} referrals are on hold"),
                "`referrals list --state held` shows them; they go on by themselves when the cause is over, or take one back with "
                + "`referrals reverse`")
            : Finding.Ok("referrals are evaluated in time");
    }
}
