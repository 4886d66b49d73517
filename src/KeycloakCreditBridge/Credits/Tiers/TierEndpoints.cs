using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>The configured tiers, and the tier of an account.</summary>
internal sealed class TierEndpoints(
    AccountLookup accounts, TierStore store, TierSwitcher switcher, Hot<GrantPolicy> policies)
{
    public IResult List() => TypedResults.Ok(Tiers());

    public async Task<IResult> CompareAsync(HttpContext context, string? user_id)
    {
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, user_id);
        var tier = await accounts.FindOrOpenAsync(
            caller, selector, () => store.TierAsync(selector, context.RequestAborted), context.RequestAborted);
        return TypedResults.Ok(new TierComparison(tier, Tiers()));
    }

    /// <summary>
    /// The account's limits change at once, its credits with the next period unless the rest of this one is pro-rated.
    /// </summary>
    public async Task<IResult> SwitchAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var user = fields.UserId("user_id");
        var tier = fields.Text("new_tier", 50);
        fields.Check();
        var tiers = policies.Current.Tiers;
        if (tiers.Find(tier) is not { } terms)
        {
            throw RequestRefusedException.Invalid(
                new Dictionary<string, string> { ["new_tier"] = $"is none of {string.Join(", ", tiers.All.Select(known => known.Tier))}" });
        }

        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, user);
        var order = new TierSwitchRequest(
            selector, terms, caller.Subject, context.Connection.RemoteIpAddress?.ToString(), caller.Key, IdempotencyKey.Of(context.Request),
            fields.Hash);
        return BalanceEndpoints.Json(await accounts.FindOrOpenAsync(
            caller, selector, () => switcher.SwitchAsync(order, tiers.ProRating), context.RequestAborted));
    }

    private TierAnswer[] Tiers()
    {
        var tiers = policies.Current.Tiers;
        return [.. tiers.All
            .OrderBy(terms => terms.Unlimited).ThenBy(terms => terms.Credits)
            .Select(terms => new TierAnswer(
                terms.Tier, Amount.Text(terms.Credits), terms.MonthlyCap is { } cap ? Amount.Text(cap) : null, terms.Unlimited,
                tiers.Period.TotalDays))];
    }
}

/// <param name="Credits">For each period.</param>
/// <param name="MonthlyCap">Null without a bound.</param>
internal sealed record TierAnswer(string Tier, string Credits, string? MonthlyCap, bool Unlimited, double PeriodDays);

internal sealed record TierComparison(string CurrentTier, TierAnswer[] Tiers);
