using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Provisioning.Awards;

namespace KeycloakCreditBridge.Credits.Grants;

/// <summary>Shows the grants of an account, takes one back, and moves the end of one.</summary>
internal sealed class GrantEndpoints(
    AccountLookup accounts, BalanceStore balances, BalanceCache cache, GrantBook book, GrantEnd end, OfferReader offers)
{
    private const int LongestReason = 500;
    private const int LongestKey = 300;

    private static readonly string[] Reaches = ["stop", "others", "all"];

    public async Task<IResult> ListAsync(HttpContext context, string? user)
    {
        var account = await AccountAsync(context, user);
        var grants = await book.ListAsync(account, context.RequestAborted) ?? throw RequestRefusedException.NoAccount(account);
        return TypedResults.Ok(GrantsShape.Of(grants, await offers.ReadAsync(account, context.RequestAborted)));
    }

    public async Task<IResult> VoidAsync(HttpContext context, string key)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, reason) = (fields.UserId("user_id"), fields.Text("reason", LongestReason));
        var reach = (VoidReach)Array.IndexOf(Reaches, fields.Choice("beyond", Reaches));
        fields.Check();
        var account = await AccountAsync(context, user);
        CheckKey(key);
        // It goes on when the caller disconnects, who could not know the outcome otherwise.
        var result = await book.VoidAsync(
            new GrantVoid(account, key, reach, reason, Caller.Of(context).Subject, context.Connection.RemoteIpAddress?.ToString()),
            CancellationToken.None);
        cache.Forget(account);
        return result.Outcome == GrantChangeOutcome.Done
            ? TypedResults.Ok(new VoidedShape(account, key, Amount.Text(result.Taken), Amount.Text(result.Balance)))
            : throw Refusal(result.Outcome, account, key, "The grant was voided before: a grant is voided once.");
    }

    public async Task<IResult> ExtendAsync(HttpContext context, string key)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var user = fields.UserId("user_id");
        var (changesEnd, expiresAt, priority) = (fields.Has("expires_at"), end.Of(fields), GrantEnd.PriorityOf(fields));
        if (!changesEnd && priority is null)
            fields.Refuse("expires_at", "is missing: give a new end, null for none, or a priority");
        fields.Check();
        var account = await AccountAsync(context, user);
        CheckKey(key);
        var order = new GrantExtension(
            account, key, expiresAt, changesEnd, priority, Caller.Of(context).Subject, context.Connection.RemoteIpAddress?.ToString());
        var result = await GrantEnd.RespectedAsync(() => book.ExtendAsync(order, CancellationToken.None));
        cache.Forget(account);
        return result.Grant is { } grant
            ? TypedResults.Ok(GrantShape.Of(grant))
            : throw Refusal(
                result.Outcome, account, key, "The grant has ended or was closed: give a new one with POST /api/v1/credits/allocate.");
    }

    private async Task<string> AccountAsync(HttpContext context, string? user)
    {
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, user);
        return (await accounts.FindOrOpenAsync(
            caller, selector, () => balances.FindAsync(selector, context.RequestAborted), context.RequestAborted)).AccountId;
    }

    private static void CheckKey(string key)
    {
        if (key.Length > LongestKey || key.Contains('\0', StringComparison.Ordinal))
            throw Unknown(key);
    }

    private static RequestRefusedException Refusal(
        GrantChangeOutcome outcome, string account, string key, string tooLate) => outcome switch
    {
        GrantChangeOutcome.NoAccount => RequestRefusedException.NoAccount(account),
        GrantChangeOutcome.UnknownGrant => Unknown(key),
        _ => new(StatusCodes.Status409Conflict, tooLate, new Dictionary<string, object?> { ["grant_key"] = key }),
    };

    private static RequestRefusedException Unknown(string key) => new(
        StatusCodes.Status404NotFound, "The account has no such grant: GET /api/v1/credits/grants has the keys of those it has.",
        new Dictionary<string, object?> { ["grant_key"] = key });
}
