using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Referrals;

/// <summary>One referral: what it paid, why it is in its state, and taking it back.</summary>
internal sealed class ReferralScreen(
    ReferralListStore store, ReferralReversal reversal, Hot<ReferralRules> rules, GrantBook book, BalanceCache cache, ActRunner acts)
{
    private static readonly string[] Sides = ["both", "referrer", "referee"];

    public async Task<IResult> ShowAsync(HttpContext context, string realm, Guid id)
    {
        var user = Operator.Of(context);
        user.Demand(realm, Access.View);
        var referral = await FindAsync(realm, id, context.RequestAborted);
        return Screens.Show<ReferralView, ReferralModel>(
            context, await ModelAsync(referral, user.MayChange(realm), null, context.RequestAborted));
    }

    /// <summary>Shows what is left of both grants, and takes it back when that is confirmed.</summary>
    public async Task<IResult> ReverseAsync(HttpContext context, string realm, Guid id)
    {
        var (user, form) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        user.Demand(realm, Access.View);
        var order = new ReversalOrder(
            id, (ReferralSide)Math.Max(0, Array.IndexOf(Sides, form["who"].ToString())), Reason.Of(form), user.Subject,
            context.Connection.RemoteIpAddress?.ToString());
        if (user.MayChange(realm) && form["step"] != "do")
        {
            Reason.Check(order.Note);
            var shown = await FindAsync(realm, id, context.RequestAborted);
            return Screens.Show<ReverseView, ReferralModel>(
                context, await ModelAsync(shown, mayChange: true, order, context.RequestAborted));
        }

        var act = new PageAct(
            "reverse_referral", realm, null, ("referral", id.ToString()), ("who", Sides[(int)order.Side]), ("reason", order.Note));
        return await acts.DoAsync(context, act, async () =>
        {
            Reason.Check(order.Note);
            var referral = await FindAsync(realm, id, context.RequestAborted);
            if (form["state"] != referral.State)
            {
                throw new RequestRefusedException(
                    StatusCodes.Status409Conflict, $"Nothing was done: the referral is {referral.State} meanwhile. Open it again.");
            }

            // It goes on when the operator leaves, who could not know the outcome otherwise.
            var reversed = await reversal.ReverseAsync(order, rules.Current.Of(realm), CancellationToken.None);
            cache.Forget(referral.Referrer);
            cache.Forget(referral.Referee);
            if (reversed.Outcome == ReversalOutcome.Unknown)
                throw Operator.NotFound();
            if (reversed.Outcome != ReversalOutcome.Done)
            {
                throw new RequestRefusedException(
                    StatusCodes.Status409Conflict, "The referral paid nothing, and will pay nothing: there is nothing to take back.");
            }

            return Screens.GoTo(AddressOf(realm, id), reversed.State == ReferralState.Canceled ? "canceled" : "reversed");
        });
    }

    public static string AddressOf(string realm, Guid id) => $"{Menu.Referrals}/{Texts.Segment(realm)}/{id}";

    private async Task<ReferralModel> ModelAsync(
        ListedReferral referral, bool mayChange, ReversalOrder? order, CancellationToken cancellationToken) => new(
        referral, await LeftAsync(referral.Referrer, referral.ReferrerGrant, cancellationToken),
        await LeftAsync(referral.Referee, referral.RefereeGrant, cancellationToken), mayChange, order);

    // What is left of a grant; null where nothing was given.
    private async Task<decimal?> LeftAsync(string accountId, string? grant, CancellationToken cancellationToken) =>
        grant is null ? null
        : (await book.ListAsync(accountId, cancellationToken))?.Grants.FirstOrDefault(given => given.Key == grant)?.Remainder ?? 0m;

    private async Task<ListedReferral> FindAsync(string realm, Guid id, CancellationToken cancellationToken) =>
        await store.FindAsync(id, [realm], cancellationToken) ?? throw Operator.NotFound();
}

/// <param name="LeftOfReferrer">What is left of the referrer's grant; null where nothing was given.</param>
/// <param name="LeftOfReferee">The same of the referee.</param>
/// <param name="Order">What is to be confirmed; null for nothing.</param>
internal sealed record ReferralModel(
    ListedReferral Referral, decimal? LeftOfReferrer, decimal? LeftOfReferee, bool MayChange, ReversalOrder? Order)
{
    public bool IsPaid => Referral.RefereeGrant is not null;

    public bool CanReverse => ReferralReversal.IsPossible(ReferralMoves.Parse(Referral.State), IsPaid);

    public string Side => Order?.Side.ToString().ToLowerInvariant() ?? "";
}
