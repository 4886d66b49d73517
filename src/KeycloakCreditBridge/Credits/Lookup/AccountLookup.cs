using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits.Lookup;

/// <summary>Finds the account that a request means, and opens one where somebody has none yet.</summary>
internal sealed class AccountLookup(FirstRead firstRead, IOptions<KeycloakOptions> keycloak, IOptions<CreditsOptions> credits, TimeProvider clock)
{
    private readonly NegativeCache _withoutAccount = new(clock);

    /// <summary>The account that a caller means: their own unless they name another, which needs a role.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="user">Keycloak's id or an account's; null for the caller's own.</param>
    /// <exception cref="RequestRefusedException">The caller may not, or this can be nobody's id.</exception>
    public AccountSelector Select(Caller caller, string? user)
    {
        if (user is null || user == caller.Subject)
            return SelectorOf(caller, caller.Subject, isOwn: true);
        if (!caller.IsAdmin && !caller.IsService)
        {
            throw new RequestRefusedException(
                StatusCodes.Status403Forbidden,
                $"'user_id' is somebody else. {TokenRequirement.MissingRole($"{CallerRoles.Admin},{CallerRoles.Service}", credits.Value.Audience)}");
        }

        if (user.Length == 0 || UserIds.ProblemWith(user) is not null)
            throw RequestRefusedException.Invalid(new Dictionary<string, string> { ["user_id"] = "is no id of a user" });
        return SelectorOf(caller, user, isOwn: false);
    }

    /// <summary>
    /// Does what <paramref name="find"/> does. If there is no account, it is opened and tried again: from the caller's token, or by asking
    /// Keycloak where the caller means somebody else.
    /// </summary>
    /// <exception cref="RequestRefusedException">There is no account, and none may be opened.</exception>
    public async Task<T> FindOrOpenAsync<T>(Caller caller, AccountSelector reach, Func<Task<T?>> find, CancellationToken cancellationToken)
        where T : class
    {
        if (await find() is { } found)
            return found;
        // A realm's name has no slash.
        var stranger = $"{reach.Realm}/{reach.User}";
        if (credits.Value.FirstRead == FirstReadMode.Provision && !_withoutAccount.Contains(stranger))
        {
            var isKnown = await (reach.User == caller.Subject
                ? firstRead.OpenFromTokenAsync(caller, cancellationToken)
                : firstRead.ConvergeFromKeycloakAsync(reach.Realm, reach.User, HintSources.FirstRead, cancellationToken));
            if (await find() is { } opened)
                return opened;
            // Whom Keycloak does not know yet may be there at the next moment, and is looked for again.
            if (isKnown)
                _withoutAccount.Add(stranger);
        }

        throw RequestRefusedException.NoAccount(reach.User);
    }

    private AccountSelector SelectorOf(Caller caller, string user, bool isOwn) =>
        new(caller.Realm, user, isOwn, [.. keycloak.Value.Realms.Select(realm => realm.Name).Where(name => name != caller.Realm)]);
}
