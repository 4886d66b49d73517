using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Sending;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Events;

/// <summary>
/// How the programs stand that events about credits are sent to, and the sending once more. Endpoints belong to no realm, so that it is for
/// operators of all realms.
/// </summary>
internal sealed class EventsScreen(ReplayStore store, ActRunner acts, IOptions<OutboxOptions> options)
{
    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, filters) = (OperatorOfAll(context), new AskedFilters(context));
        var endpoints = options.Value.Endpoints;
        var standings = await store.ListAsync(endpoints.Keys, context.RequestAborted);
        var name = filters.OneOf("endpoint", standings.Select(standing => standing.Name));
        var since = filters.Day("since");
        return Screens.Show<EventsView, EventsModel>(
            context,
            new EventsModel(
                options.Value.Enabled,
                [
                    .. endpoints.OrderBy(endpoint => endpoint.Key, StringComparer.Ordinal).Select(endpoint => new EndpointRow(
                        endpoint.Key, endpoint.Value, standings.FirstOrDefault(standing => standing.Name == endpoint.Key))),
                ],
                name is null ? null : new CountedReplay(name, since, await CountAsync(name, since, context.RequestAborted)),
                user.Watched.All(user.MayChange), filters.Ignored));
    }

    /// <summary>Has events sent again. The form says how many they were.</summary>
    public async Task<IResult> ReplayAsync(HttpContext context, string name)
    {
        var (user, form) = (OperatorOfAll(context), context.Features.Get<IFormCollection>()!);
        _ = long.TryParse(form["count"], NumberStyles.None, CultureInfo.InvariantCulture, out var confirmed);
        DateTimeOffset? since = DateTimeOffset.TryParseExact(
            form["since"], "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day) ? day : null;
        var act = new PageAct(
            "replay_events", user.Watched[0], null, ("endpoint", name), ("count", Texts.Count(confirmed)),
            ("since", since is { } at ? Texts.Iso(at) : null));
        return await acts.DoAsync(context, act, async () =>
        {
            foreach (var realm in user.Watched)
                user.Demand(realm, Access.Change);
            if (!options.Value.Endpoints.ContainsKey(name))
                throw Operator.NotFound();
            var count = await CountAsync(name, since, context.RequestAborted);
            if (Math.Abs(count - confirmed) * 100 > count)
            {
                throw new RequestRefusedException(
                    StatusCodes.Status409Conflict,
                    $"There are {Texts.Count(count)} such events and not {Texts.Count(confirmed)}: count again.");
            }

            return await store.ReplayAsync(name, since, context.RequestAborted) is null
                ? throw Operator.NotFound()
                : Screens.GoTo(Menu.Events, "events_sent");
        });
    }

    private static Operator OperatorOfAll(HttpContext context) =>
        Operator.Of(context) is { SeesAll: true } user ? user : throw Operator.NotFound();

    private Task<long> CountAsync(string name, DateTimeOffset? since, CancellationToken cancellationToken) =>
        store.CountAsync(name, since, options.Value.Endpoints[name].ChosenTypes, cancellationToken);
}

internal static class EventsRoutes
{
    public static void MapEvents(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/events", (HttpContext context, EventsScreen screen) => screen.ShowAsync(context));
        screens.MapPost(
            "/events/{name}/replay", (HttpContext context, EventsScreen screen, string name) => screen.ReplayAsync(context, name));
    }
}

/// <param name="IsOn">Whether this replica records and sends events.</param>
/// <param name="Counted">What would be sent again; null while that is not asked.</param>
/// <param name="Ignored">Filters that mean nothing.</param>
internal sealed record EventsModel(
    bool IsOn, IReadOnlyList<EndpointRow> Endpoints, CountedReplay? Counted, bool MayChange, IReadOnlyList<string> Ignored);

/// <param name="Standing">Null while nothing was sent to it.</param>
internal sealed record EndpointRow(string Name, EndpointOptions Options, EndpointStanding? Standing)
{
    /// <summary>The server alone: an address may hold what only its receiver should know.</summary>
    public string Server => new Uri(Options.Url).Authority;

    public string State => Standing switch
    {
        null => "new",
        { DisabledAt: not null } => "off",
        { FailingSince: not null } => "failing",
        _ => "active",
    };
}

/// <param name="Since">All events from here on; null for those that it has not taken.</param>
/// <param name="Events">How many, up to <see cref="ReplayStore.MostCounted"/>.</param>
internal sealed record CountedReplay(string Endpoint, DateTimeOffset? Since, long Events);
