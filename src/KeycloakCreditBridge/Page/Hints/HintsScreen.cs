using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Hints;

/// <summary>Users that wait to be read, and those that were given up: they are tried again or left out.</summary>
internal sealed class HintsScreen(HintListStore store, ActRunner acts)
{
    private const int MostShown = 200;

    private static readonly string[] States = ["dead", "waiting"];

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, filters) = (Operator.Of(context), new AskedFilters(context));
        var realm = filters.Realm();
        var state = filters.OneOf("state", States);
        var hints = await store.ListAsync(realm, state, MostShown, context.RequestAborted);
        return Screens.Show<HintsView, HintsModel>(
            context,
            new HintsModel(
                realm, user.Realms, state, hints, await CountDeadAsync(realm, context.RequestAborted), user.MayChange(realm),
                filters.Ignored));
    }

    /// <summary>Tries one hint again, or deletes it with a reason.</summary>
    public async Task<IResult> ActAsync(HttpContext context, string realm)
    {
        var form = context.Features.Get<IFormCollection>()!;
        var (id, reason, drops) = (form["user"].ToString(), Reason.Of(form), form["do"] == "drop");
        Operator.Of(context).Demand(realm, Access.View);
        var act = new PageAct(
            drops ? "drop_hint" : "retry_hint", realm, null, ("keycloak_id", id), ("reason", drops ? reason : null));
        return await acts.DoAsync(context, act, async () =>
        {
            if (drops)
                Reason.Check(reason);
            string[] users = id.Contains('\0', StringComparison.Ordinal) ? [] : [id];
            var count = drops
                ? (await store.DropAsync(realm, users, context.RequestAborted)).Count
                : (await store.RetryAsync(realm, users, allDead: false, context.RequestAborted)).Count;
            return count > 0 ? Screens.GoTo(AddressOf(realm), drops ? "dropped" : "retried")
                : throw new RequestRefusedException(StatusCodes.Status409Conflict, "The user has no hint: it was completed meanwhile.");
        });
    }

    /// <summary>Tries all dead hints of the realm again. The form says how many they were.</summary>
    public async Task<IResult> RetryAllAsync(HttpContext context, string realm)
    {
        _ = long.TryParse(
            context.Features.Get<IFormCollection>()!["count"], NumberStyles.None, CultureInfo.InvariantCulture, out var confirmed);
        Operator.Of(context).Demand(realm, Access.View);
        var act = new PageAct("retry_dead_hints", realm, null, ("count", Texts.Count(confirmed)));
        return await acts.DoAsync(context, act, async () =>
        {
            var dead = await CountDeadAsync(realm, context.RequestAborted);
            if (Math.Abs(dead - confirmed) * 100 > dead)
            {
                throw new RequestRefusedException(
                    StatusCodes.Status409Conflict,
                    $"There are {Texts.Count(dead)} dead hints and not {Texts.Count(confirmed)}: confirm again.");
            }


            await store.RetryAsync(realm, [], allDead: true, context.RequestAborted);
            return Screens.GoTo(AddressOf(realm), "retried_all");
        });
    }

    public static string AddressOf(string realm) => $"{Menu.Hints}?realm={Texts.Segment(realm)}";

    private async Task<long> CountDeadAsync(string realm, CancellationToken cancellationToken) =>
        await store.ListAsync(realm, "dead", 1, cancellationToken) is [var first] ? first.Total : 0;
}

internal static class PageHintRoutes
{
    public static void MapHints(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/hints", (HttpContext context, HintsScreen screen) => screen.ShowAsync(context));
        screens.MapPost("/hints/{realm}", (HttpContext context, HintsScreen screen, string realm) => screen.ActAsync(context, realm));
        screens.MapPost(
            "/hints/{realm}/retry-all", (HttpContext context, HintsScreen screen, string realm) => screen.RetryAllAsync(context, realm));
    }
}

/// <param name="State">`waiting` or `dead`; null for both.</param>
/// <param name="Dead">How many dead ones the realm has.</param>
/// <param name="Ignored">Filters that mean nothing.</param>
internal sealed record HintsModel(
    string Realm, IReadOnlyList<string> Realms, string? State, IReadOnlyList<ListedHint> Hints, long Dead, bool MayChange,
    IReadOnlyList<string> Ignored);
