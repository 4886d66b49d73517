using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Telemetry;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Worker;

/// <summary>
/// Converges the accounts of evaluated hints, which completes the hints that are stored, and tells each user's trace of it.
/// </summary>
internal sealed partial class HintCompletion(
    Provisioner provisioner, ProvisioningMetrics metrics, TimeProvider clock, ILogger<HintCompletion> logger)
{
    /// <param name="hints">The hints by realm and user.</param>
    /// <param name="states">What some of them were evaluated to.</param>
    /// <exception cref="NpgsqlException">The database did not confirm: what was done is unknown, and repeating is harmless.</exception>
    public async Task<ConvergeResult> ConvergeAsync(
        IReadOnlyDictionary<(string Realm, string KeycloakId), ClaimedHint> hints, IReadOnlyList<DesiredState> states)
    {
        using var batch = Spans.StartBatch("converge accounts", hints.Values.Select(hint => hint.Traceparent));
        using var trace = UserScope.BeginTrace("converge accounts");
        // Written even when the host stops: it takes milliseconds.
        var result = await provisioner.ConvergeAsync(states, CancellationToken.None);
        var completedAt = clock.GetUtcNow();
        foreach (var state in states)
        {
            var hint = hints[(state.Realm, state.KeycloakId)];
            metrics.HintCompleted(completedAt - hint.HintedAt);
            if (logger.IsEnabled(LogLevel.Debug))
                LogCompleted(hint, state);
            Spans.AddPart(hint.Traceparent, "commit user", batch, ("credits.realm", state.Realm), ("enduser.id", state.KeycloakId));
        }

        return result;
    }

    private void LogCompleted(ClaimedHint hint, DesiredState state)
    {
        using var about = logger.About(state.Realm, state.KeycloakId, hint.Traceparent);
        LogCompleted(state.State, state.Reason);
    }

    [LoggerMessage(EventId = 418, Level = LogLevel.Debug, Message = "A hint is completed: the user is {State}, reason {Reason}.")]
    private partial void LogCompleted(UserState state, string? reason);
}
