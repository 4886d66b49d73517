using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Accounts;

/// <summary>
/// Finds users by id, user name or e-mail address. The records know ids only: names and addresses need Keycloak, and without it what
/// is on record of an id is found all the same.
/// </summary>
internal sealed class AccountFinder(KeycloakClient keycloak, AccountViewStore accounts, HintListStore hints)
{
    private const int LatestRows = 10;

    /// <summary>Everybody in these realms whom the text names.</summary>
    public async Task<AccountSearch> FindAsync(IReadOnlyList<string> realms, string named, CancellationToken cancellationToken)
    {
        var words = await Task.WhenAll(realms.Select(realm => LookUpAsync(realm, named, cancellationToken)));
        string[] ids = [named, .. words.SelectMany(word => word.Users).Select(user => user.Id)];
        // No database keeps a NUL.
        string[] storable = [.. ids.Where(id => !id.Contains('\0', StringComparison.Ordinal)).Distinct(StringComparer.Ordinal)];
        var known = await accounts.KnownAsync(realms, storable, cancellationToken);
        var waiting = await hints.FindAsync(realms, storable, cancellationToken);
        List<(string? Realm, string Id)> found = [.. words
            .SelectMany(word => word.Users.Select(user => (word.Realm, user.Id)))
            .Concat(known.Select(row => (row.Realm, Id: row.KeycloakId)))
            .Concat(waiting.Select(hint => (hint.Realm, Id: hint.KeycloakId)))
            .Distinct()
            .Select(user => ((string?)user.Realm, user.Id))];
        if (found.TrueForAll(user => user.Id != named))
            found.Add((null, named));

        List<AccountView> views = [];
        foreach (var (realm, id) in found)
        {
            var view = new AccountView(
                realm, id, null,
                known.FirstOrDefault(row => row.Realm == realm && row.KeycloakId == id),
                waiting.FirstOrDefault(hint => hint.Realm == realm && hint.KeycloakId == id),
                LookupOf(words, realm, id), [], []);
            view = await WithAccountAsync(view, cancellationToken);
            // An account's own id is found by itself and as its user's.
            if (realm is not null || (view.Account is { } account && !views.Exists(other => other.Account?.Id == account.Id)))
                views.Add(view);
        }

        return new AccountSearch(views, [.. words.Select(word => word.Problem).OfType<string>()]);
    }

    private async Task<AccountView> WithAccountAsync(AccountView view, CancellationToken cancellationToken)
    {
        // The account of that id is another user's.
        if (view.Known is { Reason: ExclusionReasons.AccountIdTaken, AccountId: null })
            return view;
        var accountId = view.Known?.AccountId ?? view.Id;
        if (accountId.Contains('\0', StringComparison.Ordinal))
            return view;
        return view with
        {
            Account = await accounts.AccountAsync(accountId, cancellationToken),
            Ledger = await accounts.LedgerAsync(accountId, LatestRows, cancellationToken),
            Audit = await accounts.AuditAsync(accountId, LatestRows, cancellationToken),
        };
    }

    private async Task<RealmLookup> LookUpAsync(string realm, string named, CancellationToken cancellationToken)
    {
        try
        {
            if (await keycloak.FindUserAsync(realm, named, cancellationToken) is { } user)
                return new RealmLookup(realm, [user], null);
            var candidates = await keycloak.SearchUsersAsync(realm, named, cancellationToken);
            return new RealmLookup(realm, [.. candidates.Where(candidate => Is(candidate.Username) || Is(candidate.Email))], null);
        }
        catch (KeycloakException exception)
        {
            return new RealmLookup(realm, [], exception.Message);
        }

        bool Is(string? text) => string.Equals(text, named, StringComparison.OrdinalIgnoreCase);
    }

    private static KeycloakLookup LookupOf(IReadOnlyList<RealmLookup> words, string? realm, string id)
    {
        var asked = words.Where(word => realm is null || word.Realm == realm).ToList();
        return new KeycloakLookup(
            asked.SelectMany(word => word.Users).FirstOrDefault(user => user.Id == id), asked.Select(word => word.Problem).FirstOrDefault(problem => problem is not null));
    }

    /// <summary>What one realm answered, or why it did not.</summary>
    private sealed record RealmLookup(string Realm, IReadOnlyList<KeycloakUser> Users, string? Problem);
}

/// <param name="Problems">Why realms could not be asked.</param>
internal sealed record AccountSearch(IReadOnlyList<AccountView> Views, IReadOnlyList<string> Problems);
