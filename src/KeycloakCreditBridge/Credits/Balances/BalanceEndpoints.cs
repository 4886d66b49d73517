using KeycloakCreditBridge.Credits.Access;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>What somebody has.</summary>
internal static class BalanceEndpoints
{
    public static async Task<IResult> BalanceAsync(HttpContext context, string? user_id, Accounts accounts, BalanceStore store)
    {
        var caller = Caller.Of(context);
        var reach = accounts.Reach(caller, user_id);
        return Json(await accounts.WithAccountAsync(
            caller, reach, () => store.BalanceAsync(reach, context.RequestAborted), context.RequestAborted));
    }

    public static async Task<IResult> LlmBalanceAsync(HttpContext context, string? user_id, Accounts accounts, BalanceStore store)
    {
        var caller = Caller.Of(context);
        var reach = accounts.Reach(caller, user_id);
        return Json(await accounts.WithAccountAsync(
            caller, reach, () => store.LlmBalanceAsync(reach, context.RequestAborted), context.RequestAborted));
    }

    /// <summary>An answer that the database wrote.</summary>
    public static IResult Json(string answer) => TypedResults.Text(answer, "application/json");
}
