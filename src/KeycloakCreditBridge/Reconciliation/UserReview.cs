using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>Finds which of some users are missing and opens what they lack.</summary>
internal sealed class UserReview(AccountStore accounts, GrantPolicy policy, Provisioner provisioner)
{
    /// <summary>Reviews people as a listing shows them.</summary>
    /// <param name="readAt">When Keycloak was asked for them.</param>
    public async Task<ReviewResult> ReviewAsync(
        ReconcileRequest request, IReadOnlyCollection<KeycloakUser> users, DateTimeOffset readAt, CancellationToken cancellationToken)
    {
        List<Subject> subjects = [];
        List<string> problems = [];
        foreach (var user in users)
        {
            var createdAt = CreatedAt(user);
            if (createdAt < request.Since)
                continue;
            if (user.Id.Contains('\0', StringComparison.Ordinal))
                problems.Add($"User {user.Id.Replace("\0", "\\0", StringComparison.Ordinal)} has a zero character in the id, which cannot be stored.");
            else
                subjects.Add(new Subject(request.Realm, user.Id, user.Enabled, IsServiceAccount: false, createdAt));
        }

        var result = await ReviewAsync(request, subjects, readAt, cancellationToken);
        return new ReviewResult(
            result.Counts with { Seen = users.Count, Failed = result.Counts.Failed + problems.Count }, [.. problems, .. result.Problems]);
    }

    /// <summary>Reviews users of any kind.</summary>
    public async Task<ReviewResult> ReviewAsync(
        ReconcileRequest request, IReadOnlyCollection<Subject> subjects, DateTimeOffset readAt, CancellationToken cancellationToken)
    {
        if (subjects.Count == 0)
            return new ReviewResult(new ReconcileCounts(), []);
        var missing = await accounts.UnrecordedAsync(request.Realm, [.. subjects.Select(subject => subject.KeycloakId)], cancellationToken);
        var counts = new ReconcileCounts(Seen: subjects.Count, Missing: missing.Count);
        if (request.DryRun)
            return new ReviewResult(counts, []);

        var source = request.Rejudge ? HintSources.Backfill : HintSources.Reconciliation;
        var result = await provisioner.ConvergeAsync(
            subjects
                .Where(subject => request.Rejudge || missing.Contains(subject.KeycloakId))
                .Select(subject => policy.Judge(subject, readAt, source)),
            cancellationToken);
        return new ReviewResult(
            counts with { Provisioned = result.Opened, Failed = result.Refusals.Count },
            [.. result.Refusals.Select(refusal => $"User {refusal.Judgement.KeycloakId} was refused by the database: {refusal.Reason}")]);
    }

    public static DateTimeOffset? CreatedAt(KeycloakUser user)
    {
        // Imports bring whatever number the file had; one that is no instant says as little as none.
        var milliseconds = user.CreatedTimestamp;
        return milliseconds >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
            && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds.Value)
            : null;
    }
}

/// <param name="Problems">What was wrong with single users.</param>
internal sealed record ReviewResult(ReconcileCounts Counts, IReadOnlyList<string> Problems);
