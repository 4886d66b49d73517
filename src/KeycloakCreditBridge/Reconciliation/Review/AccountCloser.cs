using System.Globalization;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation.Scans;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Review;

/// <summary>
/// Settles users whom a complete reading did not show: each is asked for by id, and only who Keycloak does not know is taken for deleted.
/// Where that would be more of a realm than is configured nobody is closed, and an operator is asked: a realm that was restored from an
/// old backup, or a bridge that talks to the wrong Keycloak, looks the same.
/// </summary>
internal sealed partial class AccountCloser(
    MissingFromScanStore absentees,
    UserByIdReader reader,
    GrantPolicy policy,
    Provisioner provisioner,
    IOptions<ReconciliationOptions> options,
    TimeProvider clock,
    ILogger<AccountCloser> logger)
{
    private const int BatchUsers = 500;

    /// <summary>How many are under suspicion, and whether an operator must say so before they are looked at.</summary>
    public async Task<(long Gone, string? Question)> CheckShareAsync(ReconcileRun run, RunRequest request, CancellationToken cancellationToken)
    {
        var (absent, known) = await absentees.CountAsync(run.Id, request.Realm, cancellationToken);
        var share = options.Value.ClosingShare;
        var allowed = Math.Max(request.AllowClosing ?? 0, Math.Ceiling(share * known));
        if (request.DryRun || absent <= allowed)
            return (absent, null);
        LogAsking(request.Realm, absent, known);
        var percent = (100 * share).ToString("0.##", CultureInfo.InvariantCulture);
        return (absent, $"Keycloak did not show {absent} of the {known} users on record, which is more than {percent} %: none of their accounts was closed. "
            + $"If they were really deleted, run reconcile --realm {request.Realm} --allow-closing {absent}.");
    }

    /// <summary>Settles some of them; null when none is left.</summary>
    public async Task<ReviewResult?> CloseNextAsync(ReconcileRun run, RunRequest request, CancellationToken cancellationToken)
    {
        var batch = await absentees.NextAsync(run.Id, BatchUsers, cancellationToken);
        if (batch.Count == 0)
            return null;
        var readAt = clock.GetUtcNow();
        var asked = await reader.ReadAsync(request.Realm, batch, cancellationToken);
        var result = await provisioner.ConvergeAsync(
            asked.NotFound.Select(id => policy.EvaluateDeleted(request.Realm, id, readAt, HintSources.Reconciliation)), cancellationToken);
        KillPoint.Reach(KillPoint.Closed);
        await absentees.RemoveAsync(run.Id, batch, cancellationToken);
        return new ReviewResult(
            new ReconcileCounts(Closed: asked.NotFound.Count - result.Refusals.Count, Failed: result.Refusals.Count + asked.Problems.Count),
            [.. asked.Problems, .. result.Refusals.Select(refusal => $"User {refusal.DesiredState.KeycloakId} is gone and could not be closed: {refusal.Reason}")]);
    }

    [LoggerMessage(EventId = 545, Level = LogLevel.Warning,
        Message = "Realm {Realm}: Keycloak did not show {Absent} of {Known} users on record. That is too many to close their accounts unasked: " +
            "see reconcile --allow-closing.")]
    private partial void LogAsking(string realm, long absent, long known);
}
