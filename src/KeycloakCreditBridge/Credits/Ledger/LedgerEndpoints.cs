using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>The ledger of an account, newest first.</summary>
internal sealed class LedgerEndpoints(AccountLookup accounts, LedgerStore store)
{
    /// <summary>Has the cursor of the next page; the last page has none.</summary>
    public const string NextCursor = "Next-Cursor";

    private const int UsualPage = 50;
    private const int LongestPage = 500;

    private static readonly string[] Types = ["usage", "purchase", "bonus", "refund", "adjustment"];

    public async Task<IResult> TransactionsAsync(HttpContext context, string? user_id)
    {
        var (_, page, request) = await ReadAsync(context, user_id);
        if (page.NextOf(request.Limit) is { } next)
            context.Response.Headers[NextCursor] = next.ToCursor();
        return BalanceEndpoints.Json(page.Rows);
    }

    public async Task<IResult> HistoryAsync(HttpContext context, string? user_id)
    {
        var (selector, page, request) = await ReadAsync(context, user_id);
        var total = await store.TotalAsync(selector, request.Type, context.RequestAborted);
        return BalanceEndpoints.Json(string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"transactions": {{page.Rows}}, "total": {{total}}, "limit": {{request.Limit}}, "offset": {{request.Offset}}}"""));
    }

    private async Task<(AccountSelector Selector, LedgerPage Page, PageRequest Request)> ReadAsync(HttpContext context, string? user)
    {
        var request = RequestOf(context.Request.Query);
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, user);
        var page = await accounts.FindOrOpenAsync(
            caller, selector, () => store.PageAsync(selector, request, context.RequestAborted), context.RequestAborted);
        return (selector, page, request);
    }

    private static PageRequest RequestOf(IQueryCollection query)
    {
        Dictionary<string, string> problems = [];
        var limit = Number("limit", UsualPage, 1, LongestPage);
        var offset = Number("offset", 0, 0, 1_000_000);
        var type = query.SingleValue("transaction_type", problems);
        if (type is not null && !Types.Contains(type, StringComparer.Ordinal))
            problems["transaction_type"] = $"is none of {string.Join(", ", Types)}";
        var before = LedgerPosition.Start;
        if (query.SingleValue("cursor", problems) is { } cursor)
        {
            if (LedgerPosition.FromCursor(cursor) is { } position)
                before = position;
            else
                problems["cursor"] = $"is not a cursor of the header {NextCursor}";
        }

        return problems.Count == 0 ? new PageRequest(limit, offset, type, before) : throw RequestRefusedException.Invalid(problems);

        int Number(string name, int usual, int least, int most)
        {
            if (query.SingleValue(name, problems) is not { } text)
                return usual;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
                return number;
            problems[name] = $"is not a whole number from {least} to {most}";
            return usual;
        }
    }
}
