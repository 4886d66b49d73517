using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation.Scans;

namespace KeycloakCreditBridge.Reconciliation.Review;

/// <summary>Compares users with their records and converges those that differ.</summary>
internal sealed class UserReview(
    AccountReviewStore accounts, UserByIdReader reader, Hot<GrantPolicy> policies, Provisioner provisioner)
{
    private const int StatementUsers = 2_000;

    /// <summary>Reviews users as a scan shows them. Where the rules need more, each is read by id first.</summary>
    /// <param name="request">The request of the run.</param>
    /// <param name="users">Users, and service accounts if the scan shows them.</param>
    /// <param name="readAt">When Keycloak was asked for them.</param>
    /// <param name="cancellationToken">Ends the review between statements.</param>
    public async Task<ReviewResult> ReviewAsync(
        RunRequest request, IReadOnlyCollection<Subject> users, DateTimeOffset readAt, CancellationToken cancellationToken)
    {
        var policy = policies.Current;
        List<Subject> subjects = [];
        List<string> problems = [];
        foreach (var subject in users)
        {
            if (subject.CreatedAt < request.Since)
                continue;
            if (subject.KeycloakId.Contains('\0', StringComparison.Ordinal))
                problems.Add(
                    $"User {subject.KeycloakId.Replace("\0", "\\0", StringComparison.Ordinal)} has a zero character in the id, which " +
                    "cannot be stored.");
            else
                subjects.Add(subject);
        }

        IReadOnlyCollection<Subject> needed = policy.RulesOf(request.Realm).NeedsMoreThanBrief
            ? [
                .. subjects.Where(user => user.IsServiceAccount),
                .. await ReadAsync(policy, request, [.. subjects.Where(user => !user.IsServiceAccount)], problems, cancellationToken),
            ]
            : subjects;
        var result = ReviewResult.Empty;
        // No statement takes long, however many users a page or a moment has.
        foreach (var some in needed.Chunk(StatementUsers))
            result += await ReviewReadAsync(policy, request, some, readAt, cancellationToken);
        return new ReviewResult(
            result.Counts with { Seen = users.Count(user => !user.IsServiceAccount), Failed = result.Counts.Failed + problems.Count },
            [.. problems, .. result.Problems]);
    }

    /// <summary>Whether a user of this id is on record.</summary>
    public async Task<bool> IsOnRecordAsync(string realm, string keycloakId, CancellationToken cancellationToken) =>
        (await accounts.KnownAsync(realm, keycloakId, cancellationToken)).Count > 0;

    /// <summary>Reviews users that were read as fully as the policy needs.</summary>
    public async Task<ReviewResult> ReviewReadAsync(
        GrantPolicy policy, RunRequest request, IReadOnlyCollection<Subject> subjects, DateTimeOffset readAt,
        CancellationToken cancellationToken)
    {
        if (subjects.Count == 0)
            return ReviewResult.Empty;
        var source = request.ReEvaluate ? HintSources.Backfill : HintSources.Reconciliation;
        DesiredState[] states = [.. subjects.Select(subject => policy.Evaluate(subject, readAt, source))];
        var differences = await accounts.DifferencesAsync(states, cancellationToken);
        var counts = new ReconcileCounts(Seen: subjects.Count, Missing: differences.Count(difference => difference.Missing));
        if (request.DryRun)
            return new ReviewResult(counts with { LeftOut = differences.Count(difference => difference.LeftOut) }, []);

        var differing = differences.Select(difference => difference.KeycloakId).ToHashSet(StringComparer.Ordinal);
        var result = await provisioner.ConvergeAsync(
            states.Where(state => request.ReEvaluate || differing.Contains(state.KeycloakId)), cancellationToken);
        return new ReviewResult(
            counts with { Provisioned = result.Opened, Failed = result.Refusals.Count },
            [.. result.Refusals.Select(refusal => $"User {refusal.DesiredState.KeycloakId} could not be stored: {refusal.Reason}")]);
    }

    // Reading every user in full would take hours in a large realm: users that the listing shows unchanged are skipped.
    private async Task<IReadOnlyCollection<Subject>> ReadAsync(
        GrantPolicy policy, RunRequest request, List<Subject> listed, List<string> problems, CancellationToken cancellationToken)
    {
        var rules = policy.RulesOf(request.Realm);
        var template = rules.AccountId;
        var unchanged = request.ReEvaluate || listed.Count == 0
            ? []
            : await accounts.UnchangedAsync(
                request.Realm,
                [
                    .. listed.Select(user => (
                        user, template.NeedsAttributes ? null : template.Of(user), rules.BriefFingerprintOf(user),
                        policy.DoneOf(user))),
                ],
                cancellationToken);
        var skipped = unchanged.Select(user => user.KeycloakId).ToHashSet(StringComparer.Ordinal);
        // A user that was deleted since the page was read needs no review.
        var asked = await reader.ReadAsync(
            policy, request.Realm, [.. listed.Select(user => user.KeycloakId).Where(id => !skipped.Contains(id))], cancellationToken);
        problems.AddRange(asked.Problems);
        return asked.Found;
    }
}

/// <param name="Problems">What was wrong with single users.</param>
internal sealed record ReviewResult(ReconcileCounts Counts, IReadOnlyList<string> Problems)
{
    public static readonly ReviewResult Empty = new(new ReconcileCounts(), []);

    public static ReviewResult operator +(ReviewResult left, ReviewResult right) => Add(left, right);

    public static ReviewResult Add(ReviewResult left, ReviewResult right) =>
        new(left.Counts + right.Counts, [.. left.Problems, .. right.Problems]);
}
