using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Pages;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>Makes happen in a realm what a person does in the account console, what a directory does, and what nobody reports.</summary>
internal sealed class EmulatedRealm(RealmState realm, TransactionFactory journal, EmulatorClock clock)
{
    private const string AccountClient = "account";

    public string Id => realm.Id;

    /// <summary>A token with these claims, signed as the realm signs its own.</summary>
    public string Sign(JsonObject claims) => AccessTokens.Sign(realm, claims);

    /// <summary>A user of whom no event tells: from a directory, from a realm file, with an id of any form.</summary>
    public void AddUser(EmulatedUser user)
    {
        lock (realm.Gate)
            realm.Users.Add(user);
    }

    /// <summary>Adds many users without an event, <c>{prefix}0000000</c> and on, as if one had come each millisecond until now.</summary>
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

    /// <summary>Somebody whom a directory has, and Keycloak only once it asks the directory. Without import the user is never stored.</summary>
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

    /// <summary>Somebody of the directory signs in, which imports them.</summary>
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

    /// <summary>Keeps a user out of lists, as fine-grained permissions do: counts have the user, and so has who asks for the id.</summary>
    public void HideFromLists(string userId)
    {
        lock (realm.Gate)
            realm.HiddenUserIds.Add(userId);
    }

    /// <summary>Raises an event of any type. With a time of its own it appears like one of a transaction that took long.</summary>
    public async Task RaiseAsync(string type, string? userId, Dictionary<string, string>? details = null, DateTimeOffset? at = null)
    {
        var transaction = journal.Begin(realm, null);
        transaction.Raise(type, AccountClient, userId, details, LoginSession.NewSessionId(), at: at?.ToUnixTimeMilliseconds());
        await transaction.CommitAsync(CancellationToken.None);
    }

    public Task LoginAsync(string userId) => RaiseAsync("LOGIN", userId, NameOf(userId));

    /// <summary>A login of a transient user, who is in no database.</summary>
    public async Task<string> LoginLightweightAsync()
    {
        var userId = $"lightweight-{Guid.NewGuid()}";
        await RaiseAsync("LOGIN", userId, new Dictionary<string, string> { ["username"] = userId });
        return userId;
    }

    /// <summary>The user deletes their own account.</summary>
    public async Task DeleteAccountAsync(string userId)
    {
        var transaction = journal.Begin(realm, null);
        transaction.Raise("DELETE_ACCOUNT", AccountClient, userId, NameOf(userId));
        await transaction.CommitAsync(() => realm.Users.Remove(userId), CancellationToken.None);
    }

    /// <summary>The user changes their e-mail address in the account console.</summary>
    public async Task UpdateProfileAsync(string userId, string email)
    {
        var user = realm.User(userId);
        var transaction = journal.Begin(realm, null);
        var details = new Dictionary<string, string> { ["context"] = "ACCOUNT", ["updated_email"] = email };
        if (user.Email is not null)
            details["previous_email"] = user.Email;
        transaction.Raise("UPDATE_PROFILE", AccountClient, userId, details);
        var changed = user with { Email = email, EmailVerified = false };
        await transaction.CommitAsync(() => realm.Users.Replace(changed), CancellationToken.None);
    }

    /// <summary>Stored events of users and of administrators are gone, as when they expired.</summary>
    public void WipeEvents()
    {
        lock (realm.Gate)
        {
            realm.UserEvents.Clear();
            realm.AdminEvents.Clear();
        }
    }

    private Dictionary<string, string> NameOf(string userId) => new() { ["username"] = realm.User(userId).Username };
}
