using KeycloakCreditBridge.Credits.Access;
using KeycloakCreditBridge.Credits.Requests;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Finds the account that a request means, and opens one where somebody has none yet.</summary>
internal sealed class Accounts(FirstRead firstRead, IOptions<KeycloakOptions> keycloak, IOptions<CreditsOptions> credits, TimeProvider clock)
{
    private readonly Strangers _withoutAccount = new(clock);

    /// <summary>The account that a caller means: their own unless they name another, which needs a role.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="user">Keycloak's id or an account's; null for the caller's own.</param>
    /// <exception cref="RequestRefusedException">The caller may not, or this can be nobody's id.</exception>
    public AccountReach Reach(Caller caller, string? user)
    {
        if (user is null || user == caller.Subject)
            return ReachOf(caller, caller.Subject, isOwn: true);
        if (!caller.IsAdmin && !caller.IsService)
        {
            throw new RequestRefusedException(
                StatusCodes.Status403Forbidden,
                $"'user_id' is somebody else. {Roles.Needed($"{CallerRoles.Admin},{CallerRoles.Service}", credits.Value.Audience)}");
        }

        if (user.Length == 0 || EventRules.ProblemWith(user) is not null)
            throw RequestRefusedException.Invalid(new Dictionary<string, string> { ["user_id"] = "is no id of a user" });
        return ReachOf(caller, user, isOwn: false);
    }

    /// <summary>
    /// Does what <paramref name="find"/> does. If there is no account, it is opened and tried again: from the caller's token, or by asking
    /// Keycloak where the caller means somebody else.
    /// </summary>
    /// <exception cref="RequestRefusedException">There is no account, and none may be opened.</exception>
    public async Task<T> WithAccountAsync<T>(Caller caller, AccountReach reach, Func<Task<T?>> find, CancellationToken cancellationToken)
        where T : class
    {
        if (await find() is { } found)
            return found;
        // A realm's name has no slash.
        var stranger = $"{reach.Realm}/{reach.User}";
        if (credits.Value.FirstRead == FirstReadMode.Provision && !_withoutAccount.Know(stranger))
        {
            var isKnown = await (reach.User == caller.Subject
                ? firstRead.OpenAsync(caller, cancellationToken)
                : firstRead.AskAsync(reach.Realm, reach.User, HintSources.FirstRead, cancellationToken));
            if (await find() is { } opened)
                return opened;
            // Whom Keycloak does not know yet may be there at the next moment, and is looked for again.
            if (isKnown)
                _withoutAccount.Remember(stranger);
        }

        throw RequestRefusedException.NoAccount(reach.User);
    }

    private AccountReach ReachOf(Caller caller, string user, bool isOwn) =>
        new(caller.Realm, user, isOwn, [.. keycloak.Value.Realms.Select(realm => realm.Name).Where(name => name != caller.Realm)]);
}
