using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Hints;

namespace KeycloakCreditBridge.Credits.Lookup;

/// <summary>Lets an administrator converge one user's account to Keycloak's current user at once.</summary>
internal sealed class InitializeEndpoint(AccountLookup accounts, FirstRead firstRead, BalanceStore store)
{
    public async Task<IResult> InitializeAsync(HttpContext context, string id)
    {
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, id);
        await firstRead.ConvergeFromKeycloakAsync(caller.Realm, id, HintSources.FirstRead, context.RequestAborted);
        var balance = await store.FindAsync(selector, context.RequestAborted) ?? throw Api.Problems.RequestRefusedException.NoAccount(id);
        return BalanceEndpoints.Json(balance.Answer);
    }
}
