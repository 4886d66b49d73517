using System.Collections.Concurrent;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>Reads users by id, several at a time. A user that Keycloak cannot read does not stop the others.</summary>
internal sealed class UserByIdReader(KeycloakClient client, SubjectReader reader, IOptions<HintOptions> options)
{
    // More failures than this are not a fault of single users.
    private const int MostUnanswered = 10;

    /// <summary>Reads what a policy needs of them.</summary>
    /// <param name="policy">What evaluates the users.</param>
    /// <param name="realm">The users' realm.</param>
    /// <param name="keycloakIds">The users' ids.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <param name="evidence">What undecided grants of a user need; without it what they may need of a user without an account.</param>
    /// <exception cref="KeycloakException">Keycloak reads no user, or refuses the bridge.</exception>
    public async Task<UsersById> ReadAsync(
        GrantPolicy policy, string realm, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken,
        IReadOnlyDictionary<string, NeededEvidence>? evidence = null)
    {
        var found = new ConcurrentBag<Subject>();
        var notFound = new ConcurrentBag<string>();
        var problems = new ConcurrentBag<string>();
        var unanswered = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Value.Readers, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(keycloakIds, parallel, async (keycloakId, token) =>
        {
            try
            {
                if (await reader.ReadAsync(policy, realm, keycloakId, token, evidence?.GetValueOrDefault(keycloakId)) is { } subject)
                    found.Add(subject);
                else
                    notFound.Add(keycloakId);
            }
            catch (KeycloakProtocolException exception)
            {
                // A fault of this user alone: thrown on, it would end every run here.
                problems.Add($"User {keycloakId} could not be read: {exception.Message}");
            }
            catch (KeycloakUnavailableException exception) when (Interlocked.Increment(ref unanswered) <= MostUnanswered)
            {
                problems.Add($"User {keycloakId} could not be read: {exception.Message}");
            }
        });
        // If Keycloak does not answer this either, single users are not at fault: the run ends and resumes here.
        if (unanswered > 0)
            await client.CountUsersAsync(realm, cancellationToken);
        return new UsersById([.. found], [.. notFound], [.. problems]);
    }
}

/// <param name="Found">Users that Keycloak has.</param>
/// <param name="NotFound">Ids that it does not know.</param>
/// <param name="Problems">What was wrong with single other users.</param>
internal sealed record UsersById(IReadOnlyList<Subject> Found, IReadOnlyCollection<string> NotFound, IReadOnlyList<string> Problems);
