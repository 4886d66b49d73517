using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Accounts;

/// <summary>
/// Finds users by id, user name or e-mail address. The records have ids only: names and addresses need Keycloak. An id on record is found
/// without it.
/// </summary>
internal sealed class AccountFinder(KeycloakClient keycloak, AccountViewStore accounts, GrantBook grants, HintListStore hints)
{
    private const int LatestRows = 10;

    /// <summary>All users of these realms with this id, user name or e-mail address.</summary>
    public async Task<AccountSearch> FindAsync(IReadOnlyList<string> realms, string named, CancellationToken cancellationToken)
    {
        var lookups = await Task.WhenAll(realms.Select(realm => LookUpAsync(realm, named, cancellationToken)));
        string[] ids = [named, .. lookups.SelectMany(lookup => lookup.Users).Select(user => user.Id)];
        // PostgreSQL cannot store a NUL.
        string[] storable = [.. ids.Where(id => !id.Contains('\0', StringComparison.Ordinal)).Distinct(StringComparer.Ordinal)];
        var known = await accounts.KnownAsync(realms, storable, cancellationToken);
        var waiting = await hints.FindAsync(realms, storable, cancellationToken);
        List<(string? Realm, string Id)> found = [.. lookups
            .SelectMany(lookup => lookup.Users.Select(user => (lookup.Realm, user.Id)))
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
                LookupOf(lookups, realm, id), [], [], []);
            view = await WithAccountAsync(view, cancellationToken);
            // An account may be found by its own id and as its user's.
            if (realm is not null || (view.Account is { } account && !views.Exists(other => other.Account?.Id == account.Id)))
                views.Add(view);
        }

        return new AccountSearch(views, [.. lookups.Select(lookup => lookup.Problem).OfType<string>()]);
    }

    /// <summary>One user by Keycloak's id; null when neither the records nor Keycloak know it.</summary>
    /// <param name="patience">How long Keycloak is waited for; without its answer the records alone are shown.</param>
    public async Task<AccountView?> ShowAsync(string realm, string id, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (id.Contains('\0', StringComparison.Ordinal))
            return null;
        var lookup = LookUpByIdAsync(realm, id, patience, cancellationToken);
        var known = (await accounts.KnownAsync([realm], [id], cancellationToken)).SingleOrDefault();
        var hint = (await hints.FindAsync([realm], [id], cancellationToken)).SingleOrDefault();
        var view = new AccountView(realm, id, null, known, hint, await lookup, [], [], []);
        return known is null && hint is null && view.Keycloak is { User: null, Problem: null }
            ? null
            : await WithAccountAsync(view, cancellationToken);
    }

    private async Task<KeycloakLookup> LookUpByIdAsync(string realm, string id, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(patience);
        try
        {
            return new KeycloakLookup(await keycloak.FindUserAsync(realm, id, timeout.Token), null);
        }
        catch (KeycloakException exception)
        {
            return new KeycloakLookup(null, exception.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new KeycloakLookup(null, $"Keycloak did not answer within {patience.TotalSeconds:0} s.");
        }
    }

    private async Task<AccountView> WithAccountAsync(AccountView view, CancellationToken cancellationToken)
    {
        // The account of that id belongs to another user.
        if (view.Known is { Reason: ExclusionReasons.AccountIdTaken, AccountId: null })
            return view;
        var accountId = view.Known?.AccountId ?? view.Id;
        if (accountId.Contains('\0', StringComparison.Ordinal))
            return view;
        return view with
        {
            Grants = await GrantsAsync(accountId, cancellationToken),
            Account = await accounts.AccountAsync(accountId, cancellationToken),
            Ledger = await accounts.LedgerAsync(accountId, LatestRows, cancellationToken),
            Audit = await accounts.AuditAsync(accountId, LatestRows, cancellationToken),
        };
    }

    // Read first, as this books out what has ended.
    private async Task<IReadOnlyList<GivenGrant>> GrantsAsync(string accountId, CancellationToken cancellationToken) =>
        await grants.ListAsync(accountId, cancellationToken) is { } account
            ? [.. account.Grants.OrderByDescending(grant => grant.GrantedAt)
                .Where((grant, index) => index < LatestRows || grant.Remainder > 0m)]
            : [];

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

    private static KeycloakLookup LookupOf(IReadOnlyList<RealmLookup> lookups, string? realm, string id)
    {
        var asked = lookups.Where(word => realm is null || word.Realm == realm).ToList();
        return new KeycloakLookup(
            asked.SelectMany(lookup => lookup.Users).FirstOrDefault(user => user.Id == id),
            asked.Select(lookup => lookup.Problem).FirstOrDefault(problem => problem is not null));
    }

    /// <summary>The users that one realm answered with, or the problem.</summary>
    private sealed record RealmLookup(string Realm, IReadOnlyList<KeycloakUser> Users, string? Problem);
}

/// <param name="Problems">Why realms could not be read.</param>
internal sealed record AccountSearch(IReadOnlyList<AccountView> Views, IReadOnlyList<string> Problems);
