using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Milestones;

namespace KeycloakCreditBridge.Credits.Lookup;

/// <summary>Answers balances.</summary>
internal sealed class BalanceEndpoints(
    AccountLookup accounts, BalanceStore store, BalanceCache cache, ExpiringReader expiring, FirstReadRecorder reads)
{
    public async Task<IResult> BalanceAsync(HttpContext context, string? user) => Json((await FindAsync(context, user)).Answer);

    public async Task<IResult> LlmBalanceAsync(HttpContext context, string? user) => Json((await FindAsync(context, user)).LlmAnswer);

    /// <summary>An answer that the database wrote.</summary>
    public static IResult Json(string answer) => TypedResults.Text(answer, "application/json");

    /// <summary>The same in UTF-8.</summary>
    public static IResult Json(byte[] answer) => TypedResults.Text(answer, "application/json; charset=utf-8");

    private async Task<AccountBalance> FindAsync(HttpContext context, string? user)
    {
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, user);
        var balance = await accounts.FindOrOpenAsync(
            caller, selector, () => cache.ReadAsync(selector, () => ReadAsync(selector, context.RequestAborted)).AsTask(),
            context.RequestAborted);
        // An administrator who looks after a user is no reader of the user's.
        if (balance.NeverRead && (selector.IsOwn || caller.IsService))
            reads.Add(balance.AccountId);
        return balance;
    }

    private async Task<AccountBalance?> ReadAsync(AccountSelector selector, CancellationToken cancellationToken) =>
        await store.FindAsync(selector, cancellationToken) is { } balance
            ? await expiring.AddAsync(balance, cancellationToken)
            : null;
}
