using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>Tells users from service accounts, which lists with a filter show too.</summary>
internal sealed class ListedUserReader(KeycloakClient client, KnownUserStore known)
{
    /// <summary>Users of a list that shows no service accounts.</summary>
    public static IReadOnlyList<Subject> WithoutServiceAccounts(string realm, IReadOnlyList<KeycloakUser> users) =>
        [.. users.Select(user => Subject.From(realm, user, isRegularUser: true))];

    /// <summary>
    /// Asks Keycloak about names that may be a service account's. A recorded service account needs no question: an id never changes its
    /// kind.
    /// </summary>
    public async Task<IReadOnlyList<Subject>> ReadAsync(
        string realm, IReadOnlyList<KeycloakUser> users, CancellationToken cancellationToken)
    {
        string[] doubtful = [.. users.Where(user => KeycloakClient.HasServiceAccountName(user.Username)).Select(user => user.Id)];
        var services = doubtful.Length == 0 ? [] : await known.ServiceAccountsAsync(realm, doubtful, cancellationToken);
        List<Subject> subjects = [];
        foreach (var user in users)
        {
            var isRegularUser = user.Username is null
                || (!services.Contains(user.Id) && await client.IsRegularUserAsync(realm, user.Username, cancellationToken));
            subjects.Add(Subject.From(realm, user, isRegularUser));
        }

        return subjects;
    }
}
