using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Pages;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>Does in a realm what users do in the account console, what directories do, and what raises no event.</summary>
internal sealed class EmulatedRealm(
    RealmState realm, RealmState master, AccessTokens tokens, TransactionFactory transactions, EmulatorClock clock, ServerModel model)
{
    private const string AccountClient = "account";

    public string Id => realm.Id;

    /// <summary>A token with these claims, signed as the realm signs its own.</summary>
    public string Sign(JsonObject claims) => Sign(claims.ToJsonString(EmulatorJson.Readable));

    /// <summary>A token with exactly this payload and, each after a comma, these further members of its header.</summary>
    public string Sign(string payload, string moreOfHeader = "") => AccessTokens.Sign(realm, payload, moreOfHeader);

    /// <summary>Adds a user without an event: from a directory, from a realm file, with an id of any form.</summary>
    public void AddUser(EmulatedUser user)
    {
        lock (realm.Gate)
            realm.Users.Add(user);
    }

    /// <summary>Adds a user without an event unless there is one of this id.</summary>
    public void EnsureUser(EmulatedUser user)
    {
        lock (realm.Gate)
        {
            if (realm.Users.ById(user.Id) is null)
                realm.Users.Add(user);
        }
    }

    /// <summary>Adds many users without an event, <c>{prefix}0000000</c> and so on, one created in each millisecond until now.</summary>
    public void AddUsers(int count, string prefix = "user")
    {
        var first = clock.Milliseconds - count + 1;
        var users = Enumerable.Range(0, count).Select(number => new EmulatedUser(EmulatedUser.NewId(), $"{prefix}{number:D7}")
        {
            Email = $"{prefix}{number:D7}@example.com", CreatedTimestamp = first + number,
        }).ToArray();
        lock (realm.Gate)
            realm.Users.AddRange(users);
    }

    /// <summary>
    /// Adds a user to a directory; Keycloak has the user once it asks the directory. Without import the user is never stored.
    /// </summary>
    public void AddToDirectory(EmulatedUser user)
    {
        lock (realm.Gate)
        {
            if (user.IsStored)
                realm.DirectoryUsers.Add(user);
            else
                realm.Users.Add(user);
        }
    }

    /// <summary>A user of the directory signs in, which imports the user.</summary>
    public Task LoginFromDirectoryAsync(string userId)
    {
        lock (realm.Gate)
        {
            if (realm.DirectoryUsers.Find(user => user.Id == userId) is { } found)
            {
                realm.DirectoryUsers.Remove(found);
                realm.Users.Add(found.ImportedAt(clock.Milliseconds));
            }
        }

        return LoginAsync(userId);
    }

    /// <summary>Changes a user without an event, as a directory or a forced synchronisation does.</summary>
    public void ChangeUser(string userId, Func<EmulatedUser, EmulatedUser> change)
    {
        lock (realm.Gate)
            realm.Users.Replace(change(realm.User(userId)));
    }

    /// <summary>Removes a user without an event, as a directory or a workflow does.</summary>
    public void RemoveUser(string userId)
    {
        lock (realm.Gate)
            realm.Users.Remove(userId);
    }

    /// <summary>Keeps a user out of lists, as fine-grained permissions do: counts include the user, and so does a read by id.</summary>
    public void HideFromLists(string userId)
    {
        lock (realm.Gate)
            realm.HiddenUserIds.Add(userId);
    }

    /// <summary>Raises an event of any type. With a time of its own it appears like one of a transaction that took long.</summary>
    public async Task RaiseAsync(string type, string? userId, Dictionary<string, string>? details = null, DateTimeOffset? at = null)
    {
        var transaction = transactions.Begin(realm, null);
        transaction.Raise(type, AccountClient, userId, details, LoginSession.NewSessionId(), at: at?.ToUnixTimeMilliseconds());
        await transaction.CommitAsync(CancellationToken.None);
    }

    public Task LoginAsync(string userId) => RaiseAsync("LOGIN", userId, NameOf(userId));

    /// <summary>A login of a transient user, which is in no database.</summary>
    public async Task<string> LoginLightweightAsync()
    {
        var userId = $"lightweight-{Guid.NewGuid()}";
        await RaiseAsync("LOGIN", userId, new Dictionary<string, string> { ["username"] = userId });
        return userId;
    }

    /// <summary>The user deletes their own account.</summary>
    public async Task DeleteAccountAsync(string userId)
    {
        var transaction = transactions.Begin(realm, null);
        transaction.Raise("DELETE_ACCOUNT", AccountClient, userId, NameOf(userId));
        await transaction.CommitAsync(() => realm.Users.Remove(userId), CancellationToken.None);
    }

    /// <summary>The user changes their e-mail address in the account console.</summary>
    public async Task UpdateProfileAsync(string userId, string email)
    {
        var user = realm.User(userId);
        var transaction = transactions.Begin(realm, null);
        var details = new Dictionary<string, string> { ["context"] = "ACCOUNT", ["updated_email"] = email };
        if (user.Email is not null)
            details["previous_email"] = user.Email;
        transaction.Raise("UPDATE_PROFILE", AccountClient, userId, details);
        var changed = user with { Email = email, EmailVerified = false };
        await transaction.CommitAsync(() => realm.Users.Replace(changed), CancellationToken.None);
    }

    /// <summary>
    /// The user links an account of an identity provider, which they confirm by a mail. Before 26.8 that verified the address.
    /// </summary>
    public Task LinkByEmailAsync(string userId, string alias)
    {
        var details = NameOf(userId);
        details["identity_provider"] = alias;
        return VerifyBesideAsync("FEDERATED_IDENTITY_LINK", userId, details);
    }

    /// <summary>The user follows the link of an administrator's mail that asks for other actions than VERIFY_EMAIL.</summary>
    public Task CompleteMailedActionsAsync(string userId) => VerifyBesideAsync("EXECUTE_ACTION_TOKEN", userId, NameOf(userId));

    /// <summary>The administrator of the master realm impersonates the user. Returns the access token of that session.</summary>
    public async Task<string> ImpersonateAsync(string userId)
    {
        var (user, actor) = (realm.User(userId), master.Users.Users[0]);
        var named = model >= ServerModel.V26_8;
        var details = new Dictionary<string, string> { ["impersonator"] = actor.Username, ["impersonator_realm"] = master.Name };
        await RaiseAsync("IMPERSONATE", userId, details);
        await RaiseAsync("CODE_TO_TOKEN", userId, named
            ? new Dictionary<string, string> { ["impersonator"] = actor.Username, ["impersonator_id"] = actor.Id }
            : null);
        return tokens.Issue(realm, user, realm.Clients[AccountClient], named ? actor : null);
    }

    /// <summary>Deletes the stored events of users and of administrators, as their expiry does.</summary>
    public void WipeEvents()
    {
        lock (realm.Gate)
        {
            realm.UserEvents.Clear();
            realm.AdminEvents.Clear();
        }
    }

    private async Task VerifyBesideAsync(string type, string userId, Dictionary<string, string> details)
    {
        var user = realm.User(userId);
        var transaction = transactions.Begin(realm, null);
        transaction.Raise(type, AccountClient, userId, details);
        await transaction.CommitAsync(
            () => realm.Users.Replace(user with { EmailVerified = user.EmailVerified || model < ServerModel.V26_8 }),
            CancellationToken.None);
    }

    private Dictionary<string, string> NameOf(string userId) => new() { ["username"] = realm.User(userId).Username };
}
