using System.Collections.Concurrent;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;

namespace KeycloakCreditBridge.Credits.Lookup;

/// <summary>
/// Opens accounts of people whose credits are asked for before anybody told of them. First reads that come at the same time are converged
/// as one batch, so a thousand of them take a few statements and no request holds a connection while another one of its own waits.
/// </summary>
internal sealed partial class FirstRead(
    SubjectReader subjects,
    GrantPolicy policy,
    Provisioner provisioner,
    HintWriter hints,
    BalanceCache cache,
    CreditsMetrics metrics,
    TimeProvider clock,
    ILogger<FirstRead> logger) : IDisposable
{
    private const string Cause = "FIRST_READ";
    private const string ServiceAccountPrefix = "service-account-";
    private const int MostAtOnce = 1_000;

    private readonly ConcurrentQueue<Pending> _waiting = new();
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>
    /// Opens the caller's own account. The verified token is Keycloak's own statement; a hint has Keycloak asked afterwards all the same.
    /// </summary>
    /// <returns>Whether there is such a user, who may get no account by rule.</returns>
    public async Task<bool> OpenFromTokenAsync(Caller caller, CancellationToken cancellationToken)
    {
        if (UserIds.IsTransient(caller.Subject))
            return false;
        // What a token does not tell, or a name that a client's own user has as well, only Keycloak knows.
        if (!policy.RulesOf(caller.Realm).NeedsIdAlone || caller.Username is null
            || caller.Username.StartsWith(ServiceAccountPrefix, StringComparison.OrdinalIgnoreCase))
        {
            return await ConvergeFromKeycloakAsync(caller.Realm, caller.Subject, HintSources.FirstRead, cancellationToken);
        }

        // Before the account: whatever happens in between, Keycloak is asked.
        await hints.WriteAsync([new UserHint(caller.Realm, caller.Subject, HintKind.Changed, Cause, HintSources.FirstRead)], cancellationToken);
        var subject = new Subject(caller.Realm, caller.Subject, Enabled: true, IsServiceAccount: false, CreatedAt: null);
        await ConvergeAsync(policy.Evaluate(subject, caller.StatedAt, HintSources.FirstRead));
        return true;
    }

    /// <summary>Asks Keycloak for a user and converges the account; false when Keycloak has no such user.</summary>
    /// <exception cref="KeycloakException">Keycloak did not answer.</exception>
    public async Task<bool> ConvergeFromKeycloakAsync(string realm, string user, string source, CancellationToken cancellationToken)
    {
        var readAt = clock.GetUtcNow();
        try
        {
            if (await subjects.ReadAsync(realm, user, cancellationToken) is not { } subject)
                return false;
            await ConvergeAsync(policy.Evaluate(subject, readAt, source));
            return true;
        }
        catch (KeycloakOtherIdException exception)
        {
            LogOtherId(user, exception.Message);
            return false;
        }
    }

    public void Dispose() => _gate.Dispose();

    private async Task ConvergeAsync(DesiredState judgement)
    {
        var mine = new Pending(judgement);
        _waiting.Enqueue(mine);
        await _gate.WaitAsync(CancellationToken.None);
        try
        {
            // Another caller may have converged mine.
            while (!mine.Done.Task.IsCompleted)
                await ConvergeBatchAsync();
        }
        finally
        {
            _gate.Release();
        }

        await mine.Done.Task;
    }

    // Not cancelled by any one caller, as it converges for several.
    private async Task ConvergeBatchAsync()
    {
        List<Pending> batch = [];
        while (batch.Count < MostAtOnce && _waiting.TryDequeue(out var next))
            batch.Add(next);
        try
        {
            var result = await provisioner.ConvergeAsync(batch.Select(pending => pending.Judgement), CancellationToken.None);
            foreach (var change in result.Changes)
                cache.Forget(change.AccountId);
            metrics.FirstRead(result.Opened);
            foreach (var refusal in result.Refusals)
                LogRefused(refusal.DesiredState.KeycloakId, refusal.DesiredState.Realm, refusal.Reason);
            batch.ForEach(pending => pending.Done.SetResult());
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            batch.ForEach(pending => pending.Done.SetException(exception));
        }
    }

    [LoggerMessage(EventId = 830, Level = LogLevel.Warning,
        Message = "User {User} of realm {Realm} gets no account at the first read, as the database refuses it: {Reason}")]
    private partial void LogRefused(string user, string realm, string reason);

    [LoggerMessage(EventId = 831, Level = LogLevel.Warning, Message = "User {User} gets no account at the first read: {Reason}")]
    private partial void LogOtherId(string user, string reason);

    private sealed record Pending(DesiredState Judgement)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
