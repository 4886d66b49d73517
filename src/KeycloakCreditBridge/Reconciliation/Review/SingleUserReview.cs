using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;

namespace KeycloakCreditBridge.Reconciliation.Review;

/// <summary>Finds a user that an operator named by id, user name or e-mail address, and reviews it.</summary>
internal sealed class SingleUserReview(
    KeycloakClient client, SubjectReader reader, Hot<GrantPolicy> policies, UserReview review, HintWriter hints, TimeProvider clock)
{
    public async Task<ReviewResult> ReviewAsync(RunRequest request, string named, CancellationToken cancellationToken)
    {
        var readAt = clock.GetUtcNow();
        var found = await FindAsync(request.Realm, named, cancellationToken);
        if (found.Count != 1)
        {
            var problem = found.Count == 0
                ? $"No user of realm {request.Realm} has the id, user name or e-mail address '{named}'."
                : $"'{named}' names several users of realm {request.Realm}, give the id of one: "
                    + $"{string.Join(", ", found.Select(user => user.Id))}";
            // A user on record that was deleted without an event: the worker asks Keycloak again and closes the account.
            if (found.Count == 0 && !request.DryRun && UserIds.ProblemWith(named) is null
                && await review.IsOnRecordAsync(request.Realm, named, cancellationToken))
            {
                await hints.WriteAsync(
                    [new UserHint(request.Realm, named, HintKind.Deleted, "BACKFILL", HintSources.Backfill)], cancellationToken);
                problem += " It is on record: the running bridge will close its account.";
            }

            return new ReviewResult(new ReconcileCounts(Failed: 1), [problem]);
        }

        var policy = policies.Current;
        return await reader.ReadAsync(policy, request.Realm, found[0].Id, cancellationToken) is { } subject
            ? await review.ReviewReadAsync(policy, request, [subject], readAt, cancellationToken)
            : new ReviewResult(new ReconcileCounts(Failed: 1), [$"User {found[0].Id} was deleted from realm {request.Realm} meanwhile."]);
    }

    private async Task<IReadOnlyList<KeycloakUser>> FindAsync(string realm, string named, CancellationToken cancellationToken)
    {
        if (await client.FindUserAsync(realm, named, cancellationToken) is { } user)
            return [user];
        var candidates = await client.SearchUsersAsync(realm, named, cancellationToken);
        return [.. candidates.Where(candidate => Is(candidate.Username) || Is(candidate.Email))];

        bool Is(string? text) => string.Equals(text, named, StringComparison.OrdinalIgnoreCase);
    }
}
