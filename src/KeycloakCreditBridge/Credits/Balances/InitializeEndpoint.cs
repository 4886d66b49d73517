using KeycloakCreditBridge.Credits.Access;
using KeycloakCreditBridge.Hints;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Has an administrator bring one user's account to what Keycloak says now, without waiting for anything.</summary>
internal sealed class InitializeEndpoint(Accounts accounts, FirstRead firstRead, BalanceStore store)
{
    public async Task<IResult> InitializeAsync(HttpContext context, string id)
    {
        var caller = Caller.Of(context);
        var reach = accounts.Reach(caller, id);
        await firstRead.AskAsync(caller.Realm, id, HintSources.FirstRead, context.RequestAborted);
        var balance = await store.FindAsync(reach, context.RequestAborted) ?? throw Requests.RequestRefusedException.NoAccount(id);
        return BalanceEndpoints.Json(balance.Answer);
    }
}
