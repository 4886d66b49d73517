using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Users;

/// <summary>Wrong passwords of one user.</summary>
/// <param name="LockedUntil">Seconds since 1970; 0 while the user may sign in.</param>
internal sealed record LoginFailures(int Count, long LockedUntil);

/// <summary>
/// Locks users out for a while after wrong passwords, in realms with `bruteForceProtected`. A lockout does not disable the user.
/// </summary>
internal sealed class Lockouts(AdminAccess access, EmulatorClock clock)
{
    private const string Item = "/admin/realms/{realm}/attack-detection/brute-force/users/{id}";
    private const int DefaultFailures = 30;
    private const int DefaultSeconds = 60;

    private long Now => clock.Milliseconds / 1000;

    public void Map(Routes routes)
    {
        routes.Map("GET", Item, Read);
        routes.Map("DELETE", Item, Clear);
    }

    public bool IsLockedOut(RealmState realm, string userId)
    {
        lock (realm.Gate)
            return realm.LoginFailures.GetValueOrDefault(userId) is { } failures && failures.LockedUntil > Now;
    }

    /// <summary>Whether the password is right and the user may sign in; counts a wrong one.</summary>
    /// <param name="realm">The realm.</param>
    /// <param name="user">Null when there is none.</param>
    /// <param name="password">As it was typed.</param>
    /// <param name="error">What the event says when not.</param>
    public bool Admits(RealmState realm, EmulatedUser? user, string password, out string? error)
    {
        error = user switch
        {
            null => "user_not_found",
            { Enabled: false } => "user_disabled",
            _ when IsLockedOut(realm, user.Id) => "user_temporarily_disabled",
            { Password: null } => "invalid_user_credentials",
            _ => user.Password == password ? null : "invalid_user_credentials",
        };
        if (user is null || error is not (null or "invalid_user_credentials"))
            return false;
        lock (realm.Gate)
        {
            realm.LoginFailures.Remove(user.Id, out var before);
            if (error is not null && realm.Settings.Flag("bruteForceProtected") is true)
                realm.LoginFailures[user.Id] = After(realm, (before?.Count ?? 0) + 1);
        }

        return error is null;
    }

    private LoginFailures After(RealmState realm, int count) => new(
        count,
        count < (realm.Settings.Number("failureFactor") ?? DefaultFailures)
            ? 0
            : Now + (realm.Settings.Number("waitIncrementSeconds") ?? DefaultSeconds));

    private Answer Read(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-users", "manage-users");
        var user = realm.User(context.Route("id"));
        var isLockedOut = IsLockedOut(realm, user.Id);
        lock (realm.Gate)
        {
            return Answer.Json(new JsonObject
            {
                ["disabled"] = isLockedOut,
                ["numFailures"] = realm.LoginFailures.GetValueOrDefault(user.Id)?.Count ?? 0,
            });
        }
    }

    private Answer Clear(HttpContext context)
    {
        var (realm, _) = access.Require(context, "manage-users");
        lock (realm.Gate)
            realm.LoginFailures.Remove(context.Route("id"));
        return Answer.NoContent;
    }
}
