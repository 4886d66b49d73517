using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Page.Accounts;

/// <summary>Lists the users of a realm, and finds one by id, address or name.</summary>
internal sealed class AccountsScreen(AccountListStore store, AccountFinder finder, Hot<GrantPolicy> policies)
{
    private const int PageSize = 50;
    private const int MostCounted = 10_001;

    private static readonly TimeSpan KeycloakPatience = TimeSpan.FromSeconds(2);
    private static readonly string[] States = ["account", "held", "excluded", "service_account", "deleted"];

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, asked) = (Operator.Of(context), context.Request.Query);
        var filters = new AskedFilters(context);
        var realm = filters.Realm();
        var state = filters.OneOf("state", States);
        var tier = filters.OneOf("tier", policies.Current.Tiers.Names);
        var source = asked["source"].ToString() is { Length: > 0 and < 50 } text ? text : null;
        var byId = asked["order"] == "id" || state == "deleted";
        var after = asked["after"].ToString().Split('~', 2);
        DateTimeOffset? at = !byId && after.Length == 2 && long.TryParse(after[0], out var ticks) && ticks is > 0 and < 3155378975999999999
            ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;
        var id = after.Length == 2 && (byId || at is not null) ? after[1] : null;
        var query = new AccountQuery(realm, state, tier, source, !byId, at, id);
        var rows = await store.ListAsync(query, PageSize + 1, context.RequestAborted);
        var count = await store.CountAsync(query, MostCounted, context.RequestAborted);
        return Screens.Show<AccountsView, AccountsModel>(
            context,
            new AccountsModel(
                realm, user.Realms, query, [.. rows.Take(PageSize)], rows.Count > PageSize, count, count == MostCounted, States,
                policies.Current.Tiers.Names, filters.Ignored));
    }

    /// <summary>A name or an address is of a person: it comes in a form, so that no address and no log holds it.</summary>
    public async Task<IResult> FindAsync(HttpContext context)
    {
        var (user, form) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        var asked = form["q"].ToString().Trim();
        if (asked.Length is 0 or > 255)
            return TypedResults.LocalRedirect($"~{Menu.Accounts}");
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        timeout.CancelAfter(KeycloakPatience);
        AccountSearch found;
        try
        {
            found = await finder.FindAsync(user.Realms, asked, timeout.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            found = await FindByIdAsync(user.Realms, asked, context.RequestAborted);
        }

        // An account without an owner is of no realm.
        var hits = found.Views.Where(view =>
            view.Realm is not null && (view.Known is not null || view.Hint is not null || view.Keycloak.User is not null)
            || view is { Realm: null, Account: not null } && user.SeesAll).ToList();
        return hits is [{ Realm: { } realm } only]
            ? TypedResults.LocalRedirect($"~{AddressOf(realm, only.Id)}")
            : Screens.Show<FoundView, FoundModel>(context, new FoundModel(asked, hits, found.Problems));
    }

    public static string AddressOf(string realm, string id) => $"{Menu.Accounts}/{Texts.Segment(realm)}/{Texts.Segment(id)}";

    private async Task<AccountSearch> FindByIdAsync(IReadOnlyList<string> realms, string id, CancellationToken cancellationToken)
    {
        List<AccountView> views = [];
        foreach (var realm in realms)
        {
            if (await finder.ShowAsync(realm, id, TimeSpan.Zero, cancellationToken) is { } view)
                views.Add(view);
        }

        return new AccountSearch(views, ["Keycloak does not answer: only ids on record were searched."]);
    }
}

internal static class AccountRoutes
{
    public static void MapAccounts(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/accounts", (HttpContext context, AccountsScreen screen) => screen.ShowAsync(context));
        screens.MapPost("/accounts/find", (HttpContext context, AccountsScreen screen) => screen.FindAsync(context))
            .WithMetadata(new ChangesNothing());
        var one = screens.MapGroup("/accounts/{realm}/{id}");
        one.MapGet("", (HttpContext context, AccountScreen screen, string realm, string id) => screen.ShowAsync(context, realm, id));
        one.MapPost("/ask", (HttpContext context, AccountActs acts, string realm, string id) => acts.AskAsync(context, realm, id));
        one.MapPost("/hint", (HttpContext context, AccountActs acts, string realm, string id) => acts.HintAsync(context, realm, id));
        one.MapPost("/{act:regex(^(allocate|refund|switch|void|extend)$)}",
            (HttpContext context, AccountScreen screen, string realm, string id, string act) => screen.ActAsync(context, realm, id, act));
    }
}

/// <param name="Count">How many match, up to a bound.</param>
/// <param name="Ignored">Filters that mean nothing.</param>
internal sealed record AccountsModel(
    string Realm, IReadOnlyList<string> Realms, AccountQuery Query, IReadOnlyList<ListedAccount> Rows, bool AreMore, long Count,
    bool IsOver, IReadOnlyList<string> States, IReadOnlyList<string> Tiers, IReadOnlyList<string> Ignored)
{
    /// <summary>Where the next page begins.</summary>
    public string Next => Query.ByNewest
        ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Rows[^1].CreatedAt!.Value.UtcTicks}~{Rows[^1].KeycloakId}")
        : $"~{Rows[^1].KeycloakId}";
}

/// <param name="Problems">What could not be asked.</param>
internal sealed record FoundModel(string Asked, IReadOnlyList<AccountView> Hits, IReadOnlyList<string> Problems);
