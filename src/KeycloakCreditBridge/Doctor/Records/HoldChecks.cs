using System.Globalization;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Holds;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether held grants wait long for a decision, and whether operators agree with the signals that hold them.</summary>
internal sealed class HoldChecks(HoldListStore holds, Hot<FraudRules> rules, TimeProvider clock)
{
    // Fewer decisions say nothing of a signal.
    private const int FewestDecisions = 20;

    // The alert has the same limit.
    private static readonly TimeSpan LateAfter = TimeSpan.FromDays(3);

    private static readonly TimeSpan Remembered = TimeSpan.FromDays(90);

    /// <summary>None where grants are not reviewed.</summary>
    public IEnumerable<DoctorCheck> All() => rules.Current.IsEnabled
        ? [new("held grants", null, WaitingAsync), new("decisions on signals", null, OverturnedAsync)]
        : [];

    private async Task<Finding> WaitingAsync(CancellationToken cancellationToken)
    {
        var backlog = await holds.BacklogAsync(clock.GetUtcNow(), cancellationToken);
        return backlog.OldestSeconds > LateAfter.TotalSeconds
            ? Finding.Warn(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{backlog.Held} held grants wait for a decision, the oldest for {backlog.OldestSeconds / 86_400:0} days"),
                "`holds list --state held` shows them, `holds approve` and `holds reject` decide them")
            : Finding.Ok(string.Create(CultureInfo.InvariantCulture, $"{backlog.Held} held grants wait for a decision"));
    }

    private async Task<Finding> OverturnedAsync(CancellationToken cancellationToken)
    {
        var signals = await holds.OverturnedAsync(clock.GetUtcNow() - Remembered, cancellationToken);
        string[] wrong = [
            .. signals.Where(signal => signal.Decided >= FewestDecisions && signal.Approved * 2 > signal.Decided)
                .Select(signal => string.Create(
                    CultureInfo.InvariantCulture, $"{signal.Signal} ({signal.Approved} of {signal.Decided} approved)")),
        ];
        return wrong.Length == 0
            ? Finding.Ok("operators agree with the signals that hold grants")
            : Finding.Warn(
                $"wrong more often than right: {string.Join(", ", wrong)}",
                "give such a signal a lower Score in Grants:Fraud:Signals, or exempt the users that it mistakes in Grants:Fraud:Exempt");
    }
}
