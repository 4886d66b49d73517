using System.Globalization;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether referrals are evaluated, and whether some are on hold.</summary>
internal sealed class ReferralChecks(ReferralListStore referrals, Hot<ReferralRules> rules)
{
    // The alert has the same limit.
    private static readonly TimeSpan LateAfter = TimeSpan.FromMinutes(15);

    /// <summary>None where no realm has referrals.</summary>
    public IEnumerable<DoctorCheck> All() => rules.Current.IsEmpty ? [] : [new("referrals", null, EvaluatedAsync)];

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
