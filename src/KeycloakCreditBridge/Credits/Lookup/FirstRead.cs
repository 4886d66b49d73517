using System.Diagnostics;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Credits.Lookup;

/// <summary>
/// Opens accounts of users whose credits are read before any event of theirs arrived. Concurrent first reads are converged as one batch: a
/// thousand of them take a few statements, and no request holds one connection while it waits for a second.
/// </summary>
internal sealed partial class FirstRead(
    SubjectReader subjects,
    Hot<GrantPolicy> policies,
    Provisioner provisioner,
    HintWriter hints,
    BalanceCache cache,
    CreditsMetrics metrics,
    TimeProvider clock,
    ILogger<FirstRead> logger) : IDisposable
{
    private const string ServiceAccountPrefix = "service-account-";
    private const int MostAtOnce = 1_000;

    private readonly GroupCommit<DesiredState> _commits = new(MostAtOnce);

    /// <summary>
    /// Opens the caller's own account from the verified token. A hint that commits with it makes the worker read Keycloak afterwards.
    /// </summary>
    /// <returns>Whether the user exists. A rule may still exclude the user from having an account.</returns>
    public async Task<bool> OpenFromTokenAsync(Caller caller, CancellationToken cancellationToken)
    {
        if (UserIds.IsTransient(caller.Subject))
            return false;
        var policy = policies.Current;
        // Rules may need more than a token has, and names in a token may be a service account's: then Keycloak is read.
        if (!policy.RulesOf(caller.Realm).NeedsIdAlone || caller.Username is null || !caller.IsFromLogin
            || caller.Username.StartsWith(ServiceAccountPrefix, StringComparison.OrdinalIgnoreCase))
        {
            return await ConvergeFromKeycloakAsync(policy, caller.Realm, caller.Subject, HintSources.FirstRead, cancellationToken);
        }

        var subject = new Subject(caller.Realm, caller.Subject, Enabled: true, IsServiceAccount: false, CreatedAt: null);
        await ConvergeAsync(policy.Evaluate(subject, caller.StatedAt, HintSources.FirstRead) with { LeavesHint = true });
        return true;
    }

    /// <summary>Reads a user from Keycloak and converges the account; false when Keycloak has no such user.</summary>
    /// <exception cref="KeycloakException">Keycloak did not answer.</exception>
    public Task<bool> ConvergeFromKeycloakAsync(string realm, string user, string source, CancellationToken cancellationToken) =>
        ConvergeFromKeycloakAsync(policies.Current, realm, user, source, cancellationToken);

    public void Dispose() => _commits.Dispose();

    private async Task<bool> ConvergeFromKeycloakAsync(
        GrantPolicy policy, string realm, string user, string source, CancellationToken cancellationToken)
    {
        var readAt = clock.GetUtcNow();
        try
        {
            if (await subjects.ReadAsync(policy, realm, user, cancellationToken) is not { } subject)
                return false;
            await ConvergeAsync(policy.Evaluate(subject, readAt, source) with { LeavesHint = true });
            return true;
        }
        catch (KeycloakOtherIdException exception)
        {
            using var about = logger.About(realm, user);
            LogOtherId(user, exception.Message);
            return false;
        }
    }

    // The commit is shared by requests of many traces.
    private Task ConvergeAsync(DesiredState desired)
    {
        if (logger.IsEnabled(LogLevel.Debug))
            LogOpening(desired);
        return _commits.WriteAsync([desired with { Traceparent = Activity.Current?.Id }], ConvergeBatchAsync, CancellationToken.None);
    }

    private void LogOpening(DesiredState desired)
    {
        using var about = logger.About(desired.Realm, desired.KeycloakId);
        LogOpening(desired.State);
    }

    private async Task ConvergeBatchAsync(IReadOnlyList<DesiredState> batch)
    {
        var result = await provisioner.ConvergeAsync(batch, CancellationToken.None);
        foreach (var change in result.Changes)
            cache.Forget(change.AccountId);
        metrics.FirstRead(result.Opened);
        foreach (var refusal in result.Refusals)
        {
            using var about = logger.About(
                refusal.DesiredState.Realm, refusal.DesiredState.KeycloakId, refusal.DesiredState.Traceparent);
            LogRefused(refusal.DesiredState.KeycloakId, refusal.DesiredState.Realm, refusal.Reason);
        }

        // The worker tries again and lists the user as dead in the end.
        await hints.WriteAsync([.. result.Refusals.Select(refusal => HintOf(refusal.DesiredState))], CancellationToken.None);
    }

    private static UserHint HintOf(DesiredState refused) =>
        new(refused.Realm, refused.KeycloakId, HintKind.Seen, HintCauses.FirstRead, refused.Source);

    [LoggerMessage(EventId = 830, Level = LogLevel.Warning,
        Message = "The first read of user {User} of realm {Realm} opened no account because the database refused it: {Reason}")]
    private partial void LogRefused(string user, string realm, string reason);

    [LoggerMessage(EventId = 831, Level = LogLevel.Warning, Message = "The first read of user {User} opened no account: {Reason}")]
    private partial void LogOtherId(string user, string reason);

    [LoggerMessage(EventId = 832, Level = LogLevel.Debug, Message = "A first read converges the account: the user is {State}.")]
    private partial void LogOpening(UserState state);
}
