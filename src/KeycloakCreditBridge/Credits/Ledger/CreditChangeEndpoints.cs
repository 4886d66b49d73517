using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>What adds to a balance or takes from it.</summary>
internal sealed class CreditChangeEndpoints(AccountLookup accounts, LedgerWriter mover)
{
    private const int LongestReason = 500;
    private const int LongestService = 100;
    private const int LongestModel = 200;

    public async Task<IResult> AllocateAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, amount, source) = (fields.UserId("user_id"), fields.Amount("amount"), fields.Text("source", LongestReason));
        var type = fields.Choice("type", "purchase", "bonus");
        var metadata = MetadataOf(fields, context, ("source", source));
        fields.Check();
        return await WriteAsync(context, user, fields, amount, type, metadata, move => move with { Action = "credit.allocate" });
    }

    public async Task<IResult> RefundAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, amount, reason) = (fields.UserId("user_id"), fields.Amount("amount"), fields.Text("reason", LongestReason));
        var metadata = MetadataOf(fields, context, ("reason", reason));
        fields.Check();
        return await WriteAsync(context, user, fields, amount, "refund", metadata, move => move with { Action = "credit.refund" });
    }

    public async Task<IResult> DeductAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, amount, service) = (fields.UserId("user_id"), fields.Amount("amount"), fields.Text("service", LongestService));
        var model = fields.OptionalText("model", LongestModel);
        var metadata = MetadataOf(fields, context, ("cost_breakdown", fields.OptionalObject("cost_breakdown")));
        // Usage that says so is counted as free.
        metadata.Remove("is_free");
        fields.Check();
        return await WriteAsync(
            context, user, fields, -amount, "usage", metadata,
            move => move with { Service = service, Model = model, Cost = amount, Action = Caller.Of(context).IsAdmin ? "credit.deduct" : null });
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
            move => move with { Service = service, Model = model, Tokens = tokens, Cost = cost ?? 0m, AnswersEntry = true });
    }

    private async Task<IResult> WriteAsync(
        HttpContext context, string? user, BodyFields fields, decimal amount, string type, JsonObject metadata, Func<CreditChange, CreditChange> with)
    {
        var caller = Caller.Of(context);
        var reach = accounts.Select(caller, user);
        var move = with(new CreditChange(reach, amount, type, metadata.ToJsonString(), caller.Key, IdempotencyKey.Of(context.Request), fields.Hash)
        {
            Address = context.Connection.RemoteIpAddress?.ToString(),
        });
        return BalanceEndpoints.Json(await accounts.FindOrOpenAsync(caller, reach, () => mover.WriteAsync(move), context.RequestAborted));
    }

    // The caller's own first, so that nothing of it takes the place of what the bridge vouches for.
    private static JsonObject MetadataOf(BodyFields fields, HttpContext context, (string Name, JsonNode? Value) own)
    {
        var metadata = fields.OptionalObject("metadata") ?? [];
        if (own.Value is not null)
            metadata[own.Name] = own.Value;
        metadata["by"] = Caller.Of(context).Subject;
        return metadata;
    }
}
