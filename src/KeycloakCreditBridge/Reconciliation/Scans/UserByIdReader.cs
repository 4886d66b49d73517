using System.Collections.Concurrent;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>Asks Keycloak for users by id, several at a time. One whom Keycloak cannot answer for keeps nobody else from being read.</summary>
internal sealed class UserByIdReader(KeycloakClient client, SubjectReader reader, IOptions<HintOptions> options)
{
    // More at once are no matter of single users.
    private const int MostUnanswered = 10;

    /// <exception cref="KeycloakException">Keycloak answers for nobody, or may not be asked.</exception>
    public async Task<UsersById> ReadAsync(string realm, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken)
    {
        var found = new ConcurrentBag<Subject>();
        var gone = new ConcurrentBag<string>();
        var problems = new ConcurrentBag<string>();
        var unanswered = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Value.Readers, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(keycloakIds, parallel, async (keycloakId, token) =>
        {
            try
            {
                if (await reader.ReadAsync(realm, keycloakId, token) is { } subject)
                    found.Add(subject);
                else
                    gone.Add(keycloakId);
            }
            catch (KeycloakProtocolException exception)
            {
                // This user's own trouble: thrown on, it would end every run here.
                problems.Add($"User {keycloakId} could not be read: {exception.Message}");
            }
            catch (KeycloakUnavailableException exception) when (Interlocked.Increment(ref unanswered) <= MostUnanswered)
            {
                problems.Add($"User {keycloakId} could not be read: {exception.Message}");
            }
        });
        // Where Keycloak does not answer this either, it was nobody's own trouble: the run ends here, and goes on from here.
        if (unanswered > 0)
            await client.CountUsersAsync(realm, cancellationToken);
        return new UsersById([.. found], [.. gone], [.. problems]);
    }
}

/// <param name="Found">Users whom Keycloak has.</param>
/// <param name="NotFound">Ids of those whom it does not know.</param>
/// <param name="Problems">What was wrong with single others.</param>
internal sealed record UsersById(IReadOnlyList<Subject> Found, IReadOnlyCollection<string> NotFound, IReadOnlyList<string> Problems);
