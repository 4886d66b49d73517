using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;

namespace KeycloakCreditBridge.Metering.Gate;

/// <summary>
/// Answers gateways by status whether the bearer of a token may spend: 200, 402 without credits, 403 where the account may not pay. Any
/// method and any path below <see cref="Path"/> is accepted.
/// </summary>
internal sealed class ForwardAuthEndpoint(AccountLookup accounts, BalanceStore store, BalanceCache cache, CreditGate gate)
{
    public const string Path = "/authz";

    public const string Remaining = "X-Credits-Remaining";
    public const string User = "X-Credits-User";
    public const string Reason = "X-Credits-Reason";

    /// <summary>
    /// Refuses paths that lead out of <see cref="Path"/>: a gateway that appends its client's path would take another route's 200 as
    /// permission.
    /// </summary>
    public static Task RejectEscapingPathsAsync(HttpContext context, RequestDelegate next)
    {
        var asked = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        return asked.StartsWith(Path, StringComparison.OrdinalIgnoreCase) && !context.Request.Path.StartsWithSegments(Path)
            ? TypedResults.Problem("The path leads out of /authz: remove the dot segments.", statusCode: StatusCodes.Status400BadRequest)
                .ExecuteAsync(context)
            : next(context);
    }

    public async Task<IResult> DecideAsync(HttpContext context)
    {
        var balance = await FindAsync(context);
        var verdict = gate.Decide(
            balance is null
                ? null
                : new GatedAccount(
                    balance.Status, balance.CreditsRemaining, balance.Unlimited, balance.PeriodEnd, Caller.Of(context).Realm));
        var headers = context.Response.Headers;
        headers.CacheControl = "no-store";
        // Empty rather than absent: a gateway that copies what there is would pass on what its client sent under these names.
        headers[Remaining] = balance is null ? "" : Amount.Text(balance.CreditsRemaining);
        headers[User] = balance is null ? "" : HeaderValue(balance.AccountId);
        // Also in a header for gateways that replace the body by their own.
        headers[Reason] = verdict.IsAllowed ? "" : verdict.Message;

        if (verdict.IsAllowed)
            return TypedResults.Ok();
        return Refusal(verdict, balance);
    }

    private async Task<AccountBalance?> FindAsync(HttpContext context)
    {
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, user: null);
        try
        {
            return await accounts.FindOrOpenAsync(
                caller, selector, () => cache.ReadAsync(selector, () => store.FindAsync(selector, context.RequestAborted)).AsTask(),
                context.RequestAborted);
        }
        catch (RequestRefusedException refusal) when (refusal.Status == StatusCodes.Status404NotFound)
        {
            return null;
        }
    }

    private static ProblemHttpResult Refusal(GateVerdict verdict, AccountBalance? balance)
    {
        Dictionary<string, object?> more = new() { ["reason"] = balance?.StatusReason ?? verdict.Reason };
        if (balance is not null)
            (more["balance"], more["account_status"]) = (Amount.Text(balance.CreditsRemaining), balance.Status);
        var isPayable = balance is { Status: "active" };
        return TypedResults.Problem(
            verdict.Message, statusCode: isPayable ? StatusCodes.Status402PaymentRequired : StatusCodes.Status403Forbidden,
            extensions: more);
    }

    // Headers hold visible ASCII only; an id with other characters is percent-encoded.
    private static string HeaderValue(string accountId) => accountId.All(letter => letter is > ' ' and < '\x7f' and not '%')
        ? accountId
        : Uri.EscapeDataString(accountId);
}
