using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Deliveries.Review;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Runs;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Reconciliation.Requests;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Deliveries;

/// <summary>What came in for a realm and what came of it; one delivery or all that failed are replayed.</summary>
internal sealed class DeliveriesScreen(
    DeliveryListStore store, DeliveryReplay replay, FailedReplay failed, ActRunner acts, IOptions<DeliveriesOptions> options)
{
    private const int PageSize = 100;
    private const int MostUnproven = 20;

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, filters) = (Operator.Of(context), new AskedFilters(context));
        var realm = filters.Realm();
        var filter = new DeliveryFilter(
            realm, filters.OneOf("outcome", [.. DeliveryOutcomes.All, DeliveryFilter.Failed]), filters.Text("user"), filters.Day("since"),
            Guid.TryParseExact(context.Request.Query["before"], "D", out var before) ? before : null);
        var rows = await store.ListAsync(filter, PageSize + 1, context.RequestAborted);
        return Screens.Show<DeliveriesView, DeliveriesModel>(
            context,
            new DeliveriesModel(
                filter, user.Realms, [.. rows.Take(PageSize)], rows.Count > PageSize,
                await failed.CountAsync(realm, SinceOf(filter.Since), context.RequestAborted),
                await store.UnprovenAsync(realm, MostUnproven, context.RequestAborted), user.MayChange(realm), options.Value.Keep,
                filters.Ignored));
    }

    /// <summary>Has the user of one delivery read from Keycloak again.</summary>
    public async Task<IResult> ReplayAsync(HttpContext context, string realm, Guid id)
    {
        var user = Operator.Of(context);
        user.Demand(realm, Access.View);
        var act = new PageAct("replay_delivery", realm, null, ("delivery", id.ToString()));
        return await acts.DoAsync(context, act, async () =>
        {
            var delivery = await store.FindAsync(realm, id, context.RequestAborted) ?? throw Operator.NotFound();
            if (DeliveryReplay.ProblemWith(delivery) is { } problem)
                throw new RequestRefusedException(StatusCodes.Status409Conflict, problem);
            await replay.ReplayAsync(delivery, user.Subject, context.RequestAborted);
            return Screens.GoTo(AddressOf(realm, null), "replayed");
        });
    }

    /// <summary>Has the users of all failed deliveries read again, by a run. The form says how many they were.</summary>
    public async Task<IResult> ReplayFailedAsync(HttpContext context, string realm)
    {
        var (user, form) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        user.Demand(realm, Access.View);
        _ = long.TryParse(form["users"], NumberStyles.None, CultureInfo.InvariantCulture, out var users);
        DateTimeOffset? since = DateTimeOffset.TryParseExact(
            form["since"], "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day) ? day : null;
        var act = new PageAct(
            "replay_failed", realm, null, ("users", Texts.Count(users)), ("since", since is { } at ? Texts.Iso(at) : null));
        return await acts.DoAsync(context, act, async () =>
        {
            try
            {
                var run = await failed.StartAsync(realm, SinceOf(since), users, user.Subject, context.RequestAborted);
                return Screens.GoTo(RunsScreen.AddressOf(realm, run), "started");
            }
            catch (ReplayRefusedException refusal)
            {
                throw new RequestRefusedException(StatusCodes.Status409Conflict, refusal.Message);
            }
        });
    }

    /// <summary>The screen with what came for one user; for all without one.</summary>
    public static string AddressOf(string realm, string? user) =>
        $"{Menu.Deliveries}?realm={Texts.Segment(realm)}{(user is null ? "" : $"&user={Texts.Segment(user)}")}";

    private static DateTimeOffset SinceOf(DateTimeOffset? asked) => asked ?? DateTimeOffset.UnixEpoch;
}

internal static class PageDeliveryRoutes
{
    public static void MapDeliveries(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/deliveries", (HttpContext context, DeliveriesScreen screen) => screen.ShowAsync(context));
        screens.MapPost(
            "/deliveries/{realm}/replay-failed",
            (HttpContext context, DeliveriesScreen screen, string realm) => screen.ReplayFailedAsync(context, realm));
        screens.MapPost(
            "/deliveries/{realm}/{id:guid}/replay",
            (HttpContext context, DeliveriesScreen screen, string realm, Guid id) => screen.ReplayAsync(context, realm, id));
    }
}

/// <param name="Failed">Those since the filter's day.</param>
/// <param name="Keep">How long deliveries are kept; nothing for a bridge that keeps none.</param>
/// <param name="Ignored">Filters that mean nothing.</param>
internal sealed record DeliveriesModel(
    DeliveryFilter Filter, IReadOnlyList<string> Realms, IReadOnlyList<DeliveryView> Rows, bool AreMore, FailedDeliveries Failed,
    IReadOnlyList<UnprovenView> Unproven, bool MayChange, TimeSpan Keep, IReadOnlyList<string> Ignored)
{
    public string Realm => Filter.Realm!;

    public string? Since => Filter.Since is { } day ? Texts.Absolute(day)[..10] : null;

    /// <summary>The next page.</summary>
    public string Next =>
        $"{DeliveriesScreen.AddressOf(Realm, Filter.User)}&outcome={Filter.Outcome}&since={Since}&before={Rows[^1].Id}";
}
