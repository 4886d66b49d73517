using System.Globalization;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Configuration.Shell;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation.Scans;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Review;

/// <summary>
/// Closes the accounts of users that a complete scan did not show. Each is read by id, and only users that Keycloak does not know count as
/// deleted. Above the configured share no account is closed and an operator is asked: a realm restored from an old backup, or a bridge that
/// talks to the wrong Keycloak, looks the same.
/// </summary>
internal sealed partial class AccountCloser(
    MissingFromScanStore missing,
    UserByIdReader reader,
    Hot<GrantPolicy> policies,
    Provisioner provisioner,
    IOptions<ReconciliationOptions> options,
    TimeProvider clock,
    ILogger<AccountCloser> logger)
{
    private const int BatchUsers = 500;

    /// <summary>How many users were not shown, and the question to the operator where they are too many to close.</summary>
    public async Task<(long NotShown, string? Question)> CheckShareAsync(
        ReconcileRun run, RunRequest request, CancellationToken cancellationToken)
    {
        var (notShown, known, overwritten) = await missing.CountAsync(run.Id, request.Realm, cancellationToken);
        var share = options.Value.ClosingShare;
        // Keycloak told of the users that took their place, and has those: no backup or wrong server looks like that.
        var allowed = Math.Max(request.AllowClosing ?? 0, Math.Ceiling(share * known) + overwritten);
        if (request.DryRun || notShown <= allowed)
            return (notShown, null);
        LogTooMany(request.Realm, notShown, known);
        var percent = (100 * share).ToString("0.##", CultureInfo.InvariantCulture);
        return (notShown, $"Keycloak did not show {notShown} of the {known} users on record, "
            + $"which is more than {percent} %: none of their accounts was closed. "
            + $"If they were really deleted, run reconcile --realm {ShellWord.Of(request.Realm)} --allow-closing {notShown}.");
    }

    /// <summary>Ends the allowance for users that were overwritten before a complete run began.</summary>
    public Task EndAllowanceAsync(ReconcileRun run, RunRequest request, CancellationToken cancellationToken) =>
        run.Mode == ReconcileMode.Counts || request.Since is not null || request.DryRun
            ? Task.CompletedTask
            : missing.ForgetOverwrittenAsync(request.Realm, run.StartedAt, cancellationToken);

    /// <summary>Closes some of them; null when none is left.</summary>
    public async Task<ReviewResult?> CloseNextAsync(ReconcileRun run, RunRequest request, CancellationToken cancellationToken)
    {
        var batch = await missing.NextAsync(run.Id, BatchUsers, cancellationToken);
        if (batch.Count == 0)
            return null;
        var (readAt, policy) = (clock.GetUtcNow(), policies.Current);
        var asked = await reader.ReadAsync(policy, request.Realm, batch, cancellationToken);
        // A user that a list hides is as Keycloak says when asked by id: a service account, above all, is in no list.
        var result = await provisioner.ConvergeAsync(
            [
                .. asked.NotFound.Select(id => policy.EvaluateDeleted(request.Realm, id, readAt, HintSources.Reconciliation)),
                .. asked.Found.Select(subject => policy.Evaluate(subject, readAt, HintSources.Reconciliation)),
            ],
            cancellationToken);
        await missing.RemoveAsync(run.Id, batch, cancellationToken);
        var refused = result.Refusals.Select(refusal => refusal.DesiredState.KeycloakId).ToHashSet(StringComparer.Ordinal);
        return new ReviewResult(
            new ReconcileCounts(
                Provisioned: result.Opened, Closed: asked.NotFound.Count(id => !refused.Contains(id)),
                Failed: refused.Count + asked.Problems.Count),
            [.. asked.Problems, .. result.Refusals.Select(refusal =>
                $"User {refusal.DesiredState.KeycloakId} could not be stored: {refusal.Reason}")]);
    }

    [LoggerMessage(EventId = 545, Level = LogLevel.Warning,
        Message = "Realm {Realm}: Keycloak did not show {NotShown} of {Known} users on record, which is too many to close their accounts. "
            + "If they were really deleted, run reconcile --allow-closing.")]
    private partial void LogTooMany(string realm, long notShown, long known);
}
