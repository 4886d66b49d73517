using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Polling;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Health.Checks;

/// <summary>Healthy when this process polled the realm recently, or another replica polls it.</summary>
internal sealed class PollHealth(PollStatus status, IOptions<IntakeOptions> intake, TimeProvider clock, string realm) : IHealthCheck
{
    private static readonly TimeSpan MinPollAge = TimeSpan.FromMinutes(1);

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Check(status.Of(realm)));

    private HealthCheckResult Check(RealmPollStatus polled)
    {
        if (polled.LastPoll is not { } last)
        {
            return polled.Error is { } error
                ? HealthCheckResult.Unhealthy(error)
                : HealthCheckResult.Healthy("not polled by this process");
        }

        var oldest = 6 * intake.Value.Poll.IdleInterval;
        return !polled.IsPolling || clock.GetUtcNow() - last <= (oldest > MinPollAge ? oldest : MinPollAge)
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy($"last polled at {last:u}{(polled.Error is { } reason ? $": {reason}" : "")}");
    }
}
