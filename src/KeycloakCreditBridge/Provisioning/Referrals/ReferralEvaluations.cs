using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Referrals;

/// <summary>Has referrals evaluated when they are due. Without referrals in the configuration nothing is read.</summary>
internal sealed partial class ReferralEvaluations(
    ReferralEvaluator evaluator, ReferralActivation activation, ReferralListStore referrals, ReferralMetrics metrics,
    Hot<ReferralRules> rules, IOptions<KeycloakOptions> keycloak, SchemaGate gate, TimeProvider clock,
    ILogger<ReferralEvaluations> logger) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        await new BackgroundLoop(clock, LongestPause, Failed).RunAsync(
            EvaluateAsync, token => Task.Delay(Pause, clock, token), stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            metrics.SetBacklog(null);
            if (isNew)
                LogInterrupted(PrivilegeErrors.Describe(exception));
        }
    }

    private async Task<bool> EvaluateAsync(CancellationToken cancellationToken)
    {
        if (rules.Current.IsEmpty)
        {
            metrics.SetBacklog(null);
            return false;
        }

        // Users that register before the first code is asked for count too.
        foreach (var realm in keycloak.Value.Realms)
            await activation.TermsAsync(realm.Name, cancellationToken);
        var due = await evaluator.EvaluateAsync(cancellationToken);
        metrics.SetBacklog(await referrals.BacklogAsync(cancellationToken));
        return due == ReferralEvaluator.MostAtOnce;
    }

    [LoggerMessage(EventId = 429, Level = LogLevel.Warning,
        Message = "Referrals are not evaluated, which is repeated within a minute: {Reason}")]
    private partial void LogInterrupted(string reason);
}
