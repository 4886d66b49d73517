using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Grants;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Requests that add to a balance or take from it.</summary>
internal sealed class CreditChangeEndpoints(AccountLookup accounts, LedgerWriter writer, GrantEnd end)
{
    private const int LongestReason = 500;
    private const int LongestService = 100;
    private const int LongestModel = 200;

    public async Task<IResult> AllocateAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, amount, source) = (fields.UserId("user_id"), fields.Amount("amount"), fields.Text("source", LongestReason));
        var type = fields.Choice("type", "purchase", "bonus");
        var stamp = StampOf(fields, type);
        var metadata = MetadataOf(fields, context, ("source", source));
        fields.Check();
        return await GrantEnd.RespectedAsync(() => WriteAsync(
            context, user, fields, amount, type, metadata, change => change with { Action = "credit.allocate", Stamp = stamp }));
    }

    public async Task<IResult> RefundAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, amount, reason) = (fields.UserId("user_id"), fields.Amount("amount"), fields.Text("reason", LongestReason));
        var refunds = fields.OptionalId("refunds");
        var metadata = MetadataOf(fields, context, ("reason", reason), ("refunds", refunds?.ToString()));
        fields.Check();
        return await WriteAsync(
            context, user, fields, amount, "refund", metadata, change => change with { Action = "credit.refund", Refunds = refunds });
    }

    public async Task<IResult> AdjustAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, amount, reason) = (fields.UserId("user_id"), fields.SignedAmount("amount"), fields.Text("reason", LongestReason));
        var mayOverdraw = fields.Flag("allow_negative");
        var metadata = MetadataOf(fields, context, ("reason", reason));
        fields.Check();
        return await WriteAsync(
            context, user, fields, amount, "adjustment", metadata,
            change => change with { Action = "credit.adjust", AppliesToAnyStatus = true, MayOverdraw = mayOverdraw });
    }

    public async Task<IResult> DeductAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, amount, service) = (fields.UserId("user_id"), fields.Amount("amount"), fields.Text("service", LongestService));
        var model = fields.OptionalText("model", LongestModel);
        var metadata = MetadataOf(fields, context, ("cost_breakdown", fields.OptionalObject("cost_breakdown")));
        // Usage with this flag would count as free.
        metadata.Remove("is_free");
        fields.Check();
        return await WriteAsync(
            context, user, fields, -amount, "usage", metadata,
            change => change with
            {
                Service = service, Model = model, Cost = amount, Action = Caller.Of(context).IsAdmin ? "credit.deduct" : null,
            });
    }

    public async Task<IResult> TrackAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (service, model) = (fields.Text("service", LongestService), fields.OptionalText("model", LongestModel));
        var (tokens, cost, isFree) = (fields.OptionalCount("tokens"), fields.OptionalAmount("cost"), fields.Flag("is_free"));
        var user = fields.OptionalText("user_id", 255);
        var metadata = MetadataOf(fields, context, ("is_free", isFree));
        fields.Check();
        return await WriteAsync(
            context, user, fields, isFree ? 0m : -(cost ?? 0m), "usage", metadata,
            change => change with { Service = service, Model = model, Tokens = tokens, Cost = cost ?? 0m, AnswersEntry = true });
    }

    // Without any of these fields nothing is stamped: the ledger row alone is a grant without end.
    private GrantStamp? StampOf(BodyFields fields, string type)
    {
        var (expiresAt, priority) = (end.Of(fields), GrantEnd.PriorityOf(fields));
        string[] usual = type == "purchase" ? ["paid", "promotional"] : ["promotional", "paid"];
        var category = fields.Choice("category", usual);
        return expiresAt is null && priority is null && category == usual[0]
            ? null
            : new GrantStamp(category, priority ?? Lot.DefaultPriority, expiresAt);
    }

    private async Task<IResult> WriteAsync(
        HttpContext context, string? user, BodyFields fields, decimal amount, string type, JsonObject metadata,
        Func<CreditChange, CreditChange> with)
    {
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, user);
        var key = IdempotencyKey.Of(context.Request);
        var change = with(new CreditChange(selector, amount, type, metadata.ToJsonString(), caller.Key, key, fields.Hash)
        {
            Address = context.Connection.RemoteIpAddress?.ToString(),
        });
        return BalanceEndpoints.Json(
            await accounts.FindOrOpenAsync(caller, selector, () => writer.WriteAsync(change), context.RequestAborted));
    }

    // The caller's metadata comes first, so that it replaces nothing that the bridge writes.
    private static JsonObject MetadataOf(BodyFields fields, HttpContext context, params (string Name, JsonNode? Value)[] own)
    {
        var caller = Caller.Of(context);
        var metadata = fields.OptionalObject("metadata", caller.HasRole ? MetadataObject.Longest : MetadataObject.LongestOfUser) ?? [];
        metadata.Remove("refunds");
        foreach (var (name, value) in own)
        {
            if (value is not null)
                metadata[name] = value;
        }

        metadata["by"] = caller.Subject;
        return metadata;
    }
}
