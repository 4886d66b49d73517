using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Users;

/// <summary>
/// The users of a realm, always sorted by name so that a page of a large realm costs no sorting. Used under the realm's lock.
/// </summary>
internal sealed class UserDirectory
{
    private static readonly Comparer<EmulatedUser> ByName = Comparer<EmulatedUser>.Create(Compare);

    private readonly List<EmulatedUser> _users = [];
    private readonly List<EmulatedUser> _serviceAccounts = [];
    private readonly Dictionary<string, EmulatedUser> _byId = new(StringComparer.Ordinal);
    private readonly Dictionary<string, EmulatedUser> _byUsername = new(StringComparer.Ordinal);
    private readonly Dictionary<string, EmulatedUser> _byEmail = new(StringComparer.Ordinal);

    /// <summary>All users but service accounts; federated users that are not stored come last.</summary>
    public IReadOnlyList<EmulatedUser> Users => _users;

    /// <summary>The number of stored users without service accounts, which is what Keycloak counts.</summary>
    public int StoredCount { get; private set; }

    public IReadOnlyList<EmulatedUser> ServiceAccounts => _serviceAccounts;

    /// <summary>Users and service accounts in one order; merging saves sorting a large realm for each request.</summary>
    public IEnumerable<EmulatedUser> All
    {
        get
        {
            var next = 0;
            foreach (var user in _users)
            {
                while (next < _serviceAccounts.Count && Compare(_serviceAccounts[next], user) < 0)
                    yield return _serviceAccounts[next++];
                yield return user;
            }

            while (next < _serviceAccounts.Count)
                yield return _serviceAccounts[next++];
        }
    }

    public EmulatedUser? ById(string id) => _byId.GetValueOrDefault(id);

    public EmulatedUser? ByUsername(string username) => _byUsername.GetValueOrDefault(username.ToLowerInvariant());

    public EmulatedUser? ByEmail(string email) => _byEmail.GetValueOrDefault(email.ToLowerInvariant());

    public void Add(EmulatedUser user)
    {
        RefuseTaken(user);
        var list = ListOf(user);
        list.Insert(~list.BinarySearch(user, ByName), user);
        Index(user);
    }

    /// <summary>Adds many at once, sorting only once.</summary>
    public void AddRange(IReadOnlyCollection<EmulatedUser> users)
    {
        foreach (var user in users)
        {
            RefuseTaken(user);
            ListOf(user).Add(user);
            Index(user);
        }

        _users.Sort(ByName);
        _serviceAccounts.Sort(ByName);
    }

    public void Replace(EmulatedUser user)
    {
        var before = _byId[user.Id];
        Remove(user.Id);
        try
        {
            Add(user);
        }
        catch (RefusalException)
        {
            Add(before);
            throw;
        }
    }

    public void Remove(string id)
    {
        if (!_byId.Remove(id, out var user))
            throw RefusalException.UserNotFound;
        var list = ListOf(user);
        list.RemoveAt(list.BinarySearch(user, ByName));
        _byUsername.Remove(user.Username);
        if (user.Email is not null)
            _byEmail.Remove(user.Email);
        StoredCount -= Counts(user);
    }

    private void Index(EmulatedUser user)
    {
        _byId.Add(user.Id, user);
        _byUsername.Add(user.Username, user);
        if (user.Email is not null)
            _byEmail.Add(user.Email, user);
        StoredCount += Counts(user);
    }

    private void RefuseTaken(EmulatedUser user)
    {
        if (user.Email is not null && _byEmail.ContainsKey(user.Email))
            throw RefusalException.Conflict("User exists with same email");
        if (_byUsername.ContainsKey(user.Username) || _byId.ContainsKey(user.Id))
            throw RefusalException.Conflict("User exists with same username");
    }

    private List<EmulatedUser> ListOf(EmulatedUser user) => user.IsServiceAccount ? _serviceAccounts : _users;

    private static int Counts(EmulatedUser user) => user.IsStored && !user.IsServiceAccount ? 1 : 0;

    private static int Compare(EmulatedUser left, EmulatedUser right) => left.IsStored == right.IsStored
        ? string.CompareOrdinal(left.Username, right.Username)
        : right.IsStored.CompareTo(left.IsStored);
}
