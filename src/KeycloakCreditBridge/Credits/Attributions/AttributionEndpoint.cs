using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Provisioning.Referrals;

namespace KeycloakCreditBridge.Credits.Attributions;

/// <summary>Takes what the caller's browser says about where the caller came from.</summary>
internal sealed class AttributionEndpoint(
    AccountLookup accounts, BalanceStore balances, AttributionStore attributions, ReferralTouch touch, TimeProvider clock)
{
    private static readonly TimeSpan Window = TimeSpan.FromHours(24);

    /// <summary>201 where it is kept, 200 where the same was kept before. It may be repeated.</summary>
    public async Task<IResult> AttributeAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        fields.Only(Attribution.Names);
        var wanted = new Attribution(
            Text(fields, "source"), Text(fields, "medium"), Text(fields, "campaign"), Text(fields, "content"), Text(fields, "term"),
            Text(fields, "ref"));
        if (Attribution.Names.All(name => !fields.Has(name)))
            fields.Refuse("source", $"is missing: give at least one of {string.Join(", ", Attribution.Names)}");
        fields.Check();
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, null);
        var account = (await accounts.FindOrOpenAsync(
            caller, selector, () => balances.FindAsync(selector, context.RequestAborted), context.RequestAborted)).AccountId;
        var now = clock.GetUtcNow();
        var isNew = await attributions.KeepAsync(account, wanted, now - Window, now, CancellationToken.None);
        var kept = isNew
            ? new KeptAttribution("active", wanted)
            : await attributions.FindAsync(account, context.RequestAborted) ?? throw RequestRefusedException.NoAccount(account);
        if (kept.Attribution is null && kept.Status != "closed")
        {
            throw new RequestRefusedException(
                StatusCodes.Status410Gone, "An attribution is taken within 24 hours after the user was created.");
        }

        // Also where it was kept before: that request may have ended in between.
        if (kept.Attribution == wanted && wanted.Ref is { } reference)
            await touch.TouchAsync(caller.Realm, account, reference, CancellationToken.None);
        return kept.Attribution == wanted
            ? TypedResults.Json(
                new AttributedShape(account, isNew), statusCode: isNew ? StatusCodes.Status201Created : StatusCodes.Status200OK)
            : throw new RequestRefusedException(
                StatusCodes.Status409Conflict, kept.Attribution is null
                    ? "The account is closed."
                    : "Another attribution was kept before: the first one stays.");
    }

    private static string? Text(BodyFields fields, string name)
    {
        var text = fields.OptionalText(name, Attribution.Longest);
        if (text?.Length == 0)
            fields.Refuse(name, "is empty: leave it out");
        else if (text?.Any(char.IsControl) == true)
            fields.Refuse(name, "has characters that cannot be printed");
        return text;
    }
}
