using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Grants.Referrals.Touches;
using KeycloakCreditBridge.Provisioning.Referrals;

namespace KeycloakCreditBridge.Credits.Referrals;

/// <summary>Shows callers their own code, takes codes, and takes back what referrals paid.</summary>
internal sealed class ReferralEndpoints(
    AccountLookup accounts, BalanceStore balances, BalanceCache cache, ReferralActivation activation, ReferralCodeStore codes,
    ReferralTouch touch, ReferralListStore referrals, ReferralReversal reversal, TimeProvider clock)
{
    private const int LongestReason = 500;
    private const int UsualPage = 50;
    private const int LongestPage = 500;

    private static readonly string[] States = [.. Enum.GetValues<ReferralState>().Select(ReferralMoves.Name)];

    private static readonly string[] Sides = ["both", "referrer", "referee"];

    /// <summary>The caller's own code, made at the first call, and counts. It tells nothing of who they are.</summary>
    public async Task<IResult> ShowOwnAsync(HttpContext context)
    {
        var caller = Caller.Of(context);
        await CheckActiveAsync(caller, context.RequestAborted);
        var account = await AccountAsync(caller, context);
        var code = await codes.OfAsync(account, clock.GetUtcNow(), context.RequestAborted)
            ?? throw new RequestRefusedException(StatusCodes.Status404NotFound, "The account is closed: it has no code.");
        var counts = await codes.CountsAsync(account, context.RequestAborted);
        return TypedResults.Ok(new ReferralsShape(
            account, CodeText.Display(code),
            counts.ToDictionary(count => count.State, count => count.Referrals, StringComparer.Ordinal),
            Amount.Text(counts.Sum(count => count.Credits))));
    }

    /// <summary>202 for every code, whatever becomes of it. It may be repeated; the first code that counts stays.</summary>
    public async Task<IResult> TouchAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        fields.Only(["code"]);
        var code = fields.Text("code", CodeText.Longest);
        if (code.Length > 0 && ReferralCode.Read(code) is null)
            fields.Refuse("code", $"is no referral code: it has {ReferralCode.Length} letters and digits, such as 7Q2M-X9TD");
        fields.Check();
        var caller = Caller.Of(context);
        await CheckActiveAsync(caller, context.RequestAborted);
        var account = await AccountAsync(caller, context);
        // It goes on when the caller disconnects, who could not know the outcome otherwise.
        await touch.TouchAsync(caller.Realm, account, code, CancellationToken.None);
        return TypedResults.Json(new ReferralTakenShape(true), statusCode: StatusCodes.Status202Accepted);
    }

    public async Task<IResult> ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        Dictionary<string, string> problems = [];
        var (state, account) = (query.SingleValue("state", problems), query.SingleValue("account", problems));
        if (state is not null && !States.Contains(state, StringComparer.Ordinal))
            problems["state"] = $"is none of {string.Join(", ", States)}";
        var limit = UsualPage;
        if (query.SingleValue("limit", problems) is { } text
            && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > LongestPage))
            problems["limit"] = $"is not a whole number from 1 to {LongestPage}";
        if (account?.Contains('\0', StringComparison.Ordinal) == true)
            problems["account"] = "is not an account id";
        if (problems.Count > 0)
            throw RequestRefusedException.Invalid(problems);
        var found = await referrals.ListAsync([Caller.Of(context).Realm], state, account, limit, context.RequestAborted);
        return TypedResults.Ok(found.Select(ReferralShape.Of).ToArray());
    }

    public async Task<IResult> ShowAsync(HttpContext context, string id) =>
        TypedResults.Ok(ReferralShape.Of(await FindAsync(Caller.Of(context), id, context.RequestAborted)));

    public async Task<IResult> ReverseAsync(HttpContext context, string id)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        fields.Only(["who", "reason"]);
        var (side, reason) = (Array.IndexOf(Sides, fields.Choice("who", Sides)), fields.Text("reason", LongestReason));
        fields.Check();
        var caller = Caller.Of(context);
        if (!caller.IsAdmin && side != 0)
        {
            throw new RequestRefusedException(
                StatusCodes.Status403Forbidden, $"'who' is {Sides[side]}: one side alone needs the role {CallerRoles.Admin}.");
        }

        var referral = await FindAsync(caller, id, context.RequestAborted);
        // It goes on when the caller disconnects, as above.
        var reversed = await reversal.ReverseAsync(
            new ReversalOrder(
                referral.Id, (ReferralSide)side, reason, caller.Subject, context.Connection.RemoteIpAddress?.ToString()),
            activation.ConfiguredOf(caller.Realm), CancellationToken.None);
        cache.Forget(referral.Referrer);
        cache.Forget(referral.Referee);
        return reversed.Outcome switch
        {
            ReversalOutcome.Done => TypedResults.Ok(ReversedShape.Of(referral.Id, reversed)),
            ReversalOutcome.Unknown => throw Unknown(),
            _ => throw new RequestRefusedException(
                StatusCodes.Status409Conflict, "The referral paid nothing, and will pay nothing: there is nothing to take back."),
        };
    }

    private async Task CheckActiveAsync(Caller caller, CancellationToken cancellationToken)
    {
        if (await activation.TermsAsync(caller.Realm, cancellationToken) is null)
            throw new RequestRefusedException(StatusCodes.Status404NotFound, "This realm has no referrals.");
    }

    private async Task<string> AccountAsync(Caller caller, HttpContext context)
    {
        var selector = accounts.Select(caller, null);
        return (await accounts.FindOrOpenAsync(
            caller, selector, () => balances.FindAsync(selector, context.RequestAborted), context.RequestAborted)).AccountId;
    }

    private async Task<ListedReferral> FindAsync(Caller caller, string id, CancellationToken cancellationToken) =>
        (Guid.TryParse(id, out var known) ? await referrals.FindAsync(known, [caller.Realm], cancellationToken) : null)
        ?? throw Unknown();

    private static RequestRefusedException Unknown() => new(
        StatusCodes.Status404NotFound, "The realm has no such referral: `referrals list` shows those it has.");
}
