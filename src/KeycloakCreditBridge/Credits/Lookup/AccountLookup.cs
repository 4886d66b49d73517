using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits.Lookup;

/// <summary>Finds the account that a request means, and opens it at the first read.</summary>
internal sealed class AccountLookup(FirstRead firstRead, IOptions<KeycloakOptions> keycloak, IOptions<CreditsOptions> credits,
    IOptions<ApiOptions> api, TimeProvider clock)
{
    private readonly NegativeCache _withoutAccount = new(clock);

    /// <summary>The account that a caller means: the caller's own, or with a role that of another user.</summary>
    /// <param name="caller">The caller.</param>
    /// <param name="user">Keycloak's id or an account's; null for the caller's own.</param>
    /// <exception cref="RequestRefusedException">The caller lacks the role, or this cannot be an id.</exception>
    public AccountSelector Select(Caller caller, string? user)
    {
        if (user is null || user == caller.Subject)
            return SelectorOf(caller, caller.Subject, isOwn: true);
        if (!caller.IsAdmin && !caller.IsService)
        {
            var missing = TokenRequirement.MissingRole($"{CallerRoles.Admin},{CallerRoles.Service}", api.Value.Audience);
            throw new RequestRefusedException(StatusCodes.Status403Forbidden, $"'user_id' is another user. {missing}");
        }

        if (user.Length == 0 || UserIds.ProblemWith(user) is not null)
            throw RequestRefusedException.Invalid(new Dictionary<string, string> { ["user_id"] = "is not an id of a user" });
        return SelectorOf(caller, user, isOwn: false);
    }

    /// <summary>
    /// Returns what <paramref name="find"/> finds. Without an account it opens one and finds again: from the caller's token, or by reading
    /// Keycloak for another user.
    /// </summary>
    /// <exception cref="RequestRefusedException">There is no account and none can be opened.</exception>
    public async Task<T> FindOrOpenAsync<T>(Caller caller, AccountSelector selector, Func<Task<T?>> find,
        CancellationToken cancellationToken)
        where T : class
    {
        if (await find() is { } found)
            return found;
        // A realm's name has no slash.
        var key = $"{selector.Realm}/{selector.User}";
        if (credits.Value.FirstRead == FirstReadMode.Provision && !_withoutAccount.Contains(key))
        {
            var isKnown = await (selector.User == caller.Subject
                ? firstRead.OpenFromTokenAsync(caller, cancellationToken)
                : firstRead.ConvergeFromKeycloakAsync(selector.Realm, selector.User, HintSources.FirstRead, cancellationToken));
            if (await find() is { } opened)
                return opened;
            // A user that Keycloak does not know yet may appear at any moment, so that this is not remembered.
            if (isKnown)
                _withoutAccount.Add(key);
        }

        throw RequestRefusedException.NoAccount(selector.User);
    }

    private AccountSelector SelectorOf(Caller caller, string user, bool isOwn) =>
        new(caller.Realm, user, isOwn, [.. keycloak.Value.Realms.Select(realm => realm.Name).Where(name => name != caller.Realm)]);
}
