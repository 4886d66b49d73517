using System.Globalization;
using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Referrals;

/// <summary>Which users brought others: counts by state, and the referrals in one state or of one user.</summary>
internal sealed class ReferralsScreen(ReferralListStore store, AccountViewStore accounts, Hot<ReferralRules> rules)
{
    private const int PageSize = 100;
    private const int MostCounted = 10_001;

    private static readonly string[] States = [.. Enum.GetValues<ReferralState>().Select(ReferralMoves.Name)];

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, filters) = (Operator.Of(context), new AskedFilters(context));
        var realm = filters.Realm();
        var (state, named) = (filters.OneOf("state", States), filters.Text("user"));
        var account = named is null ? null
            : (await accounts.KnownAsync([realm], [named], context.RequestAborted)).SingleOrDefault()?.AccountId ?? named;
        var found = await store.ListAsync(
            [realm], state, account, PageSize + 1, context.RequestAborted, PlaceOf(context.Request.Query["before"].ToString()));
        return Screens.Show<ReferralsView, ReferralsModel>(
            context,
            new ReferralsModel(
                realm, user.Realms, state, named, [.. found.Take(PageSize)], found.Count > PageSize,
                await store.CountsAsync(realm, MostCounted, context.RequestAborted), MostCounted, rules.Current.Of(realm),
                filters.Ignored));
    }

    public static string AddressOf(string realm, string? state = null, string? user = null) =>
        $"{Menu.Referrals}?realm={Texts.Segment(realm)}{(state is null ? "" : $"&state={state}")}"
        + (user is null ? "" : $"&user={Texts.Segment(user)}");

    private static ReferralPlace? PlaceOf(string text) =>
        text.Split('~') is [var at, var id] && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
        && ticks is > 0 and < 3155378975999999999 && Guid.TryParse(id, out var known)
            ? new ReferralPlace(new DateTimeOffset(ticks, TimeSpan.Zero), known)
            : null;
}

internal static class PageReferralRoutes
{
    public static void MapReferrals(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/referrals", (HttpContext context, ReferralsScreen screen) => screen.ShowAsync(context));
        var one = screens.MapGroup("/referrals/{realm}/{id:guid}");
        one.MapGet("", (HttpContext context, ReferralScreen screen, string realm, Guid id) => screen.ShowAsync(context, realm, id));
        one.MapPost(
            "/reverse", (HttpContext context, ReferralScreen screen, string realm, Guid id) => screen.ReverseAsync(context, realm, id));
    }
}

/// <param name="User">Keycloak's id; null for all users.</param>
/// <param name="Most">Where counting a state ended.</param>
/// <param name="Terms">As they are configured; null where the realm has no referrals.</param>
/// <param name="Ignored">Filters that mean nothing.</param>
internal sealed record ReferralsModel(
    string Realm, IReadOnlyList<string> Realms, string? State, string? User, IReadOnlyList<ListedReferral> Rows, bool AreMore,
    IReadOnlyList<ReferralsInState> Counts, int Most, ReferralTerms? Terms, IReadOnlyList<string> Ignored)
{
    /// <summary>The next page.</summary>
    public string Next => ReferralsScreen.AddressOf(Realm, State, User)
        + string.Create(CultureInfo.InvariantCulture, $"&before={Rows[^1].TouchedAt.UtcTicks}~{Rows[^1].Id}");

    public string CountOf(ReferralsInState count) =>
        count.Referrals == Most ? $"over {Texts.Count(Most - 1)}" : Texts.Count(count.Referrals);
}
