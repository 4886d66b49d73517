using System.Globalization;
using KeycloakCreditBridge.Analytics;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Doctor.Findings;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether what is counted is rebuilt.</summary>
internal sealed class AnalyticsChecks(RollUpStore rollUps, IOptions<AnalyticsOptions> options, TimeProvider clock)
{
    // Three rounds of the usual schedule.
    private static readonly TimeSpan LateAfter = TimeSpan.FromMinutes(15);

    public IEnumerable<DoctorCheck> All() => [new("analytics", null, RebuiltAsync)];

    private async Task<Finding> RebuiltAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.Enabled)
            return Finding.Ok($"{AnalyticsOptions.Section}:Enabled is false: this replica rebuilds no analytics");
        return await rollUps.StateAsync(cancellationToken) switch
        {
            null => Finding.Ok("analytics were not built yet: the service builds them, or `analytics rebuild`"),
            { } state when clock.GetUtcNow() - state.RebuiltAt > LateAfter && IsUsual => Finding.Warn(
                string.Create(CultureInfo.InvariantCulture, $"analytics show the state of {state.RebuiltAt:u}"),
                "check that the service runs its schedule, and its log for event 1200"),
            _ => Finding.Ok("analytics are rebuilt"),
        };
    }

    private bool IsUsual => options.Value.Cron == new AnalyticsOptions().Cron;
}
