using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Accounts;

/// <summary>One user: why the account is as it is, everything that happened to it, and what an operator can do.</summary>
internal sealed class AccountScreen(
    AccountFinder finder, TimelineStore timeline, AccountActs acts, Hot<GrantPolicy> policies,
    IOptions<KeycloakOptions> keycloak, TimeProvider clock)
{
    private const int PageSize = 100;
    private const int LongestEndYears = 10;

    private static readonly TimeSpan KeycloakPatience = TimeSpan.FromSeconds(2);
    private static readonly string[] Kinds = ["ledger", "audit", "hint", "delivery", "hold"];

    public Task<IResult> ShowAsync(HttpContext context, string realm, string id)
    {
        Operator.Of(context).Demand(realm, Access.View);
        return ShowAsync(context, realm, id, null, StatusCodes.Status200OK);
    }

    /// <summary>Shows what a change would do, and makes it when it is confirmed.</summary>
    public async Task<IResult> ActAsync(HttpContext context, string realm, string id, string act)
    {
        var user = Operator.Of(context);
        user.Demand(realm, Access.View);
        var fields = context.Features.Get<IFormCollection>()!;
        var form = ActForm.Of(act, fields, policies.Current.Tiers.Names, clock.GetUtcNow().AddYears(LongestEndYears));
        if (!user.MayChange(realm))
            await acts.ChangeAsync(context, realm, id, form);
        if (!form.IsRight)
            return await ShowAsync(context, realm, id, form, StatusCodes.Status400BadRequest);
        if (await finder.ShowAsync(realm, id, KeycloakPatience, context.RequestAborted) is not { Account: { } account } view)
            throw Operator.NotFound();
        var grant = form.IsOfGrant ? view.Grants.FirstOrDefault(given => given.Key == form.Grant) : null;
        if (fields["step"] != "do" && form.IsOfGrant && grant is null)
            throw new RequestRefusedException(StatusCodes.Status409Conflict, "The account has no such grant, or nothing of it is left.");
        if (fields["step"] != "do")
            return Screens.Show<ConfirmView, ConfirmModel>(
                context, new ConfirmModel(realm, view.Id, account, form, policies.Current.Tiers.Find(form.Tier), grant));
        await acts.ChangeAsync(context, realm, account.Id, form);
        return Screens.GoTo(
            AccountsScreen.AddressOf(realm, id), Done(act));
    }

    private static string Done(string act) => act switch
    {
        "refund" => "refunded", "switch" => "switched", "void" => "voided", "extend" => "extended", _ => "allocated",
    };

    private async Task<IResult> ShowAsync(HttpContext context, string realm, string id, ActForm? form, int status)
    {
        var (user, query) = (Operator.Of(context), context.Request.Query);
        if (await finder.ShowAsync(realm, id, KeycloakPatience, context.RequestAborted) is not { } view)
            throw Operator.NotFound();
        var kind = Kinds.FirstOrDefault(known => known == query["kind"]);
        var accountId = view.Account?.Id ?? view.Known?.AccountId ?? id;
        var entries = await timeline.PageAsync(
            new TimelineQuery(realm, id, accountId, kind, PlaceOf(query["before"].ToString())), PageSize + 1, context.RequestAborted);
        var sum = view.Account is null ? null : await timeline.SumAsync(accountId, context.RequestAborted);
        var address = keycloak.Value.PublicUrl is { Length: > 0 } url ? url : keycloak.Value.Url;
        var console = $"{address.TrimEnd('/')}/admin/master/console/#/{Texts.Segment(realm)}/users/{Texts.Segment(id)}/settings";
        return Screens.Show<AccountPageView, AccountModel>(
            context,
            new AccountModel(
                realm, view, sum, [.. entries.Take(PageSize)], entries.Count > PageSize, kind, user.MayChange(realm),
                policies.Current.Tiers.Names, console, form, query["usage"].ToString(), query["grant"].ToString(),
                query["act"].ToString(), SessionCipher.NewText()),
            status);
    }

    private static TimelinePlace? PlaceOf(string text) =>
        text.Split('~', 3) is [var at, var kind, var id] && long.TryParse(at, out var ticks) && ticks is > 0 and < 3155378975999999999
            ? new TimelinePlace(new DateTimeOffset(ticks, TimeSpan.Zero), kind, id)
            : null;
}

/// <param name="Sum">What the ledger adds up to; null without an account.</param>
/// <param name="Console">The user in Keycloak's console.</param>
/// <param name="Form">A form with a mistake; null for none.</param>
/// <param name="Usage">The ledger row that a refund was chosen for.</param>
/// <param name="Grant">The grant that a form was chosen for.</param>
/// <param name="Chosen">The form that is open.</param>
/// <param name="Key">For the forms of this answer.</param>
internal sealed record AccountModel(
    string Realm, AccountView View, LedgerSum? Sum, IReadOnlyList<TimelineEntry> Entries, bool AreMore, string? Kind, bool MayChange,
    IReadOnlyList<string> Tiers, string Console, ActForm? Form, string Usage, string Grant, string Chosen, string Key);

/// <param name="Terms">The new tier's, for a switch.</param>
/// <param name="Grant">As it is, for a change of a grant.</param>
internal sealed record ConfirmModel(
    string Realm, string Id, AccountRow Account, ActForm Form, TierTerms? Terms, GivenGrant? Grant);
