using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Grants;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Credits.Codes;

/// <summary>Redeems codes of users for their own accounts.</summary>
internal sealed class RedeemEndpoint(
    AccountLookup accounts, BalanceStore balances, BalanceCache cache, FirstRead firstRead, CodeRedeemer redeemer,
    HeldRedemptionStore redemptions)
{
    private static readonly string[] Fields = ["code"];

    /// <summary>
    /// 201 where the code pays now, 200 where it paid before, 202 where its place is kept until something is met. Every refusal is the
    /// same.
    /// </summary>
    public async Task<IResult> RedeemAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        fields.Only(Fields);
        var code = fields.Text("code", CodeText.Longest);
        fields.Check();
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, null);
        var redemption = await TryAsync(context, null, code) ?? await TryAsync(
                context,
                (await accounts.FindOrOpenAsync(
                    caller, selector, () => balances.FindAsync(selector, context.RequestAborted), context.RequestAborted)).AccountId,
                code)
            ?? throw RequestRefusedException.NoAccount(caller.Subject);
        if (redemption.Terms is not { } terms)
            throw Refusal(context, redemption);
        var state = redemption.Outcome == RedeemOutcome.Held
            ? await EvaluatedAsync(caller, redemption.AccountId, terms.CampaignId) : RedemptionStates.Paid;
        if (state == RedemptionStates.Rejected)
            throw Refusal(context, new Redemption(RedeemOutcome.Refused));
        var isPaid = state == RedemptionStates.Paid;
        cache.Forget(redemption.AccountId);
        var balance = await balances.FindAsync(selector, CancellationToken.None) ?? throw RequestRefusedException.NoAccount(caller.Subject);
        return TypedResults.Json(
            new RedeemedShape(
                balance.AccountId, redemption.GrantKey!, isPaid ? RedemptionStates.Paid : RedemptionStates.Held, Amount.Text(terms.Credits),
                Amount.Text(balance.CreditsRemaining), isPaid ? [] : MissingOf(balance, redemption)),
            statusCode: redemption.Outcome == RedeemOutcome.PaidBefore ? StatusCodes.Status200OK
                : isPaid ? StatusCodes.Status201Created
                : StatusCodes.Status202Accepted);
    }

    // It goes on when the caller disconnects, who could not know the outcome otherwise.
    private Task<Redemption?> TryAsync(HttpContext context, string? account, string code) =>
        GrantEnd.RespectedAsync(() => redeemer.RedeemAsync(
            new RedeemingUser(Caller.Of(context).Realm, Caller.Of(context).Subject, context.Connection.RemoteIpAddress), account, code,
            CancellationToken.None));

    // The scheduled evaluation pays where Keycloak does not answer now.
    private async Task<string?> EvaluatedAsync(Caller caller, string account, long campaign)
    {
        try
        {
            await firstRead.ConvergeFromKeycloakAsync(caller.Realm, caller.Subject, HintSources.FirstRead, CancellationToken.None);
        }
        catch (KeycloakException)
        {
        }

        return await redemptions.StateAsync(account, campaign, CancellationToken.None);
    }

    private static string[] MissingOf(AccountBalance balance, Redemption redemption) =>
        balance.Status == "active" ? [.. redemption.Requires] : [Requirements.ActiveAccount];

    private static RequestRefusedException Refusal(HttpContext context, Redemption redemption)
    {
        if (redemption.Outcome == RedeemOutcome.Refused)
            return new(StatusCodes.Status404NotFound, "This code cannot be redeemed.");
        context.Response.Headers.RetryAfter =
            Math.Max(1, (int)Math.Ceiling(redemption.Wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return new(StatusCodes.Status429TooManyRequests, "Too many codes failed: wait for the time in Retry-After.");
    }
}
