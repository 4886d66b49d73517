using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;

namespace KeycloakCreditBridge.Sandbox.Emulator.Users;

/// <summary>The filters of GET users and users/count.</summary>
internal sealed class UserFilter
{
    private static readonly char[] TermSeparators = [' ', ','];
    private static readonly string[] Fields = ["username", "email", "firstName", "lastName"];

    private readonly IQueryCollection _query;
    private readonly string[] _terms;
    private readonly string[]? _ids;
    private readonly bool _exact;
    private readonly bool? _enabled;
    private readonly bool? _emailVerified;
    private readonly long? _createdAfter;
    private readonly long? _createdBefore;

    private UserFilter(IQueryCollection query, ServerModel model, bool counting)
    {
        _query = query;
        var search = _query.Value("search")?.Trim() ?? "";
        _ids = search.StartsWith("id:", StringComparison.Ordinal) ? Split(search[3..]) : null;
        _terms = _ids is null ? Split(search.ToLowerInvariant()) : [];
        _exact = _query.Flag("exact") is true && !(counting && model is ServerModel.V26_0);
        _enabled = _query.Flag("enabled");
        _emailVerified = _query.Flag("emailVerified");
        if (model < ServerModel.V26_7)
            return;
        _createdAfter = _query.Time("createdAfter", upper: false);
        _createdBefore = _query.Time("createdBefore", upper: true);
    }

    public static UserFilter ForList(IQueryCollection query, ServerModel model) => new(query, model, counting: false);

    /// <summary>Counts of date-only servers take <c>exact</c> for granted and let <c>search</c> find service accounts.</summary>
    public static UserFilter ForCount(IQueryCollection query, ServerModel model) => new(query, model, counting: true)
    {
        FindsServiceAccounts = model is ServerModel.V26_0 && query.ContainsKey("search"),
    };

    private bool FindsServiceAccounts { get; init; }

    private bool IsDated => _createdAfter is not null || _createdBefore is not null;

    private bool HasFieldFilter => IsDated || _enabled is not null || _emailVerified is not null
        || Array.Exists(Fields, name => _query.Value(name) is not null);

    /// <summary>The matching users in Keycloak's order. Field filters bring service accounts in; <c>search</c> keeps them out.</summary>
    public IEnumerable<EmulatedUser> Apply(UserDirectory users)
    {
        if (_ids is not null)
            return _ids.Select(users.ById).OfType<EmulatedUser>();
        if (_terms.Length > 0 || FindsServiceAccounts)
            return (FindsServiceAccounts ? users.All : users.Users).Where(user => HasFlags(user) && HasTerms(user));
        return HasFieldFilter ? users.All.Where(HasFields) : users.Users;
    }

    /// <summary>
    /// Imports the matching users of the directory. A filter on a field that no directory has matches none.
    /// </summary>
    public IReadOnlyList<EmulatedUser> ImportFrom(RealmState realm, long now)
    {
        if (realm.DirectoryUsers.Count == 0 || IsDated || _emailVerified is not null || _ids is not null)
            return [];
        EmulatedUser[] found = [.. realm.DirectoryUsers.Where(user => HasFields(user) && HasTerms(user))];
        realm.DirectoryUsers.RemoveAll(found.Contains);
        EmulatedUser[] imported = [.. found.Select(user => user.ImportedAt(now))];
        realm.Users.AddRange(imported);
        return imported;
    }

    /// <summary>The number of matching stored users; the count without filter is kept ready.</summary>
    public int Count(UserDirectory users) => _ids is null && _terms.Length == 0 && !FindsServiceAccounts && !HasFieldFilter
        ? users.StoredCount
        : Apply(users).Count(user => user.IsStored);

    private bool HasFields(EmulatedUser user) => HasFlags(user)
        && Has("username", user.Username) && Has("email", user.Email) && Has("firstName", user.FirstName) && Has("lastName", user.LastName);

    private bool HasFlags(EmulatedUser user) =>
        (_enabled ?? user.Enabled) == user.Enabled && IsInWindow(user)
        && (_emailVerified is null || (user.IsStored && _emailVerified == user.EmailVerified));

    private bool IsInWindow(EmulatedUser user) => !IsDated
        || (user is { IsStored: true, CreatedTimestamp: { } created }
            && created >= (_createdAfter ?? long.MinValue) && created <= (_createdBefore ?? long.MaxValue));

    private bool Has(string field, string? value) => _query.Value(field) is not { } wanted || (_exact
        ? string.Equals(value, wanted, StringComparison.OrdinalIgnoreCase)
        : value?.Contains(wanted, StringComparison.OrdinalIgnoreCase) is true);

    private bool HasTerms(EmulatedUser user)
    {
        string?[] values = [user.Username, user.Email, user.FirstName, user.LastName];
        return Array.TrueForAll(
            _terms, term => Array.Exists(values, value => value is not null && Matches(value.ToLowerInvariant(), term)));
    }

    private static bool Matches(string value, string term) => term switch
    {
        ['"', .. var whole, '"'] => value == whole,
        ['*', .. var infix, '*'] => value.Contains(infix, StringComparison.Ordinal),
        ['*', .. var suffix] => value.Contains(suffix, StringComparison.Ordinal),
        [.. var prefix, '*'] => value.StartsWith(prefix, StringComparison.Ordinal),
        _ => value.StartsWith(term, StringComparison.Ordinal),
    };

    private static string[] Split(string search) =>
        search.Split(TermSeparators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
