namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>The filters of GET users and users/count.</summary>
internal sealed class UserFilter
{
    private static readonly char[] TermSeparators = [' ', ','];
    private static readonly string[] Fields = ["username", "email", "firstName", "lastName"];

    private readonly IQueryCollection query;
    private readonly string[] terms;
    private readonly string[]? ids;
    private readonly bool exact;
    private readonly bool? enabled;
    private readonly bool? emailVerified;
    private readonly long? createdAfter;
    private readonly long? createdBefore;

    private UserFilter(IQueryCollection query, ServerModel model, bool counting)
    {
        this.query = query;
        var search = query.Value("search")?.Trim() ?? "";
        ids = search.StartsWith("id:", StringComparison.Ordinal) ? Split(search[3..]) : null;
        terms = ids is null ? Split(search.ToLowerInvariant()) : [];
        exact = query.Flag("exact") is true && !(counting && model is ServerModel.V26_0);
        enabled = query.Flag("enabled");
        emailVerified = query.Flag("emailVerified");
        if (model is not ServerModel.V26_7)
            return;
        createdAfter = query.Time("createdAfter", upper: false);
        createdBefore = query.Time("createdBefore", upper: true);
    }

    public static UserFilter ForList(IQueryCollection query, ServerModel model) => new(query, model, counting: false);

    /// <summary>Counts of date-only servers take <c>exact</c> for granted and let <c>search</c> find service accounts.</summary>
    public static UserFilter ForCount(IQueryCollection query, ServerModel model) => new(query, model, counting: true)
    {
        FindsServiceAccounts = model is ServerModel.V26_0 && query.ContainsKey("search"),
    };

    private bool FindsServiceAccounts { get; init; }

    private bool IsDated => createdAfter is not null || createdBefore is not null;

    private bool HasFieldFilter => IsDated || enabled is not null || emailVerified is not null
        || Array.Exists(Fields, name => query.Value(name) is not null);

    /// <summary>The matching users in Keycloak's order. Field filters bring service accounts in; <c>search</c> keeps them out.</summary>
    public IEnumerable<EmulatedUser> Apply(UserDirectory users)
    {
        if (ids is not null)
            return ids.Select(users.ById).OfType<EmulatedUser>();
        if (terms.Length > 0 || FindsServiceAccounts)
            return (FindsServiceAccounts ? users.Everybody : users.People).Where(user => HasFlags(user) && HasTerms(user));
        return HasFieldFilter ? users.Everybody.Where(HasFields) : users.People;
    }

    /// <summary>How many stored users match; the plain count is kept ready.</summary>
    public int Count(UserDirectory users) => ids is null && terms.Length == 0 && !FindsServiceAccounts && !HasFieldFilter
        ? users.StoredPeople
        : Apply(users).Count(user => user.IsStored);

    private bool HasFields(EmulatedUser user) => HasFlags(user)
        && Has("username", user.Username) && Has("email", user.Email) && Has("firstName", user.FirstName) && Has("lastName", user.LastName);

    private bool HasFlags(EmulatedUser user) =>
        (enabled ?? user.Enabled) == user.Enabled && (emailVerified ?? user.EmailVerified) == user.EmailVerified && IsInWindow(user);

    private bool IsInWindow(EmulatedUser user) => !IsDated
        || (user is { IsStored: true, CreatedTimestamp: { } created }
            && created >= (createdAfter ?? long.MinValue) && created <= (createdBefore ?? long.MaxValue));

    private bool Has(string field, string? value) => query.Value(field) is not { } wanted || (exact
        ? string.Equals(value, wanted, StringComparison.OrdinalIgnoreCase)
        : value?.Contains(wanted, StringComparison.OrdinalIgnoreCase) is true);

    private bool HasTerms(EmulatedUser user)
    {
        string?[] values = [user.Username, user.Email, user.FirstName, user.LastName];
        return Array.TrueForAll(terms, term => Array.Exists(values, value => value is not null && Matches(value.ToLowerInvariant(), term)));
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
