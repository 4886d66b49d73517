using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Requests;
using KeycloakCreditBridge.Reconciliation.Runs;

namespace KeycloakCreditBridge.Page.Runs;

/// <summary>
/// Compares a realm with the records: a dry run counts first, and only what it counted is started for good.
/// </summary>
internal sealed class RunsScreen(
    RequestedRunStore store, RunStarter starter, RunHistoryStore history, Hot<GrantPolicy> policies, ActRunner acts,
    TimeProvider clock)
{
    private const int MostRuns = 50;
    private const int Days = 90;
    private const long MostWithoutName = 1_000;

    private static readonly TimeSpan DryRunCountsFor = TimeSpan.FromHours(1);
    private static readonly string[] Modes = ["auto", "counts", "windows", "list", "database"];

    public async Task<IResult> ListAsync(HttpContext context)
    {
        var user = Operator.Of(context);
        var realm = new AskedFilters(context).Realm();
        var today = new DateTimeOffset(clock.GetUtcNow().UtcDateTime.Date, TimeSpan.Zero);
        return Screens.Show<RunsView, RunsModel>(
            context,
            new RunsModel(
                realm, user.Realms, await store.LatestAsync(realm, MostRuns, context.RequestAborted),
                await history.ByDayAsync(realm, today.AddDays(1 - Days), today, context.RequestAborted), Modes, user.MayChange(realm)));
    }

    public async Task<IResult> ShowAsync(HttpContext context, string realm, long id)
    {
        var user = Operator.Of(context);
        user.Demand(realm, Access.View);
        return await ShowAsync(context, realm, id, null, StatusCodes.Status200OK);
    }

    /// <summary>Starts a dry run, which changes no account.</summary>
    public async Task<IResult> CountAsync(HttpContext context, string realm)
    {
        var form = context.Features.Get<IFormCollection>()!;
        var mode = Modes.Contains(form["mode"].ToString(), StringComparer.Ordinal) ? form["mode"].ToString() : Modes[0];
        var request = new RunRequest(
            realm, RunTriggers.Http, DryRun: true, ReEvaluate: form["all"] == "on",
            Mode: Enum.Parse<ReconcileMode>(mode, ignoreCase: true));
        return await StartAsync(context, request, new PageAct("dry_run", realm, null, ("mode", mode)));
    }

    /// <summary>Starts what a dry run counted.</summary>
    public async Task<IResult> GoAsync(HttpContext context, string realm, long id)
    {
        Operator.Of(context).Demand(realm, Access.View);
        var dry = await FindAsync(realm, id, context.RequestAborted);
        var act = new PageAct(
            "start_run", realm, null, ("dry_run", id.ToString(CultureInfo.InvariantCulture)), ("missing", Texts.Count(dry.Missing)));
        if (!Operator.Of(context).MayChange(realm))
            return await StartAsync(context, new RunRequest(realm, RunTriggers.Http), act);
        if (!CanStart(dry))
            throw new RequestRefusedException(
                StatusCodes.Status409Conflict, "This is no dry run of the last hour that reached its end: count again.");
        if (NeedsName(dry) && context.Features.Get<IFormCollection>()!["name"] != realm)
            return await ShowAsync(context, realm, id, $"Type {realm} to start it.", StatusCodes.Status400BadRequest);
        var request = new RunRequest(
            realm, RunTriggers.Http, dry.Since, ReEvaluate: dry.ReEvaluate, Mode: Enum.Parse<ReconcileMode>(dry.Mode, ignoreCase: true),
            AllowClosing: dry.NotShown > 0 ? (int)Math.Min(dry.NotShown, int.MaxValue) : null);
        return await StartAsync(context, request, act);
    }

    public async Task<IResult> StopAsync(HttpContext context, string realm, long id)
    {
        var act = new PageAct("stop_run", realm, null, ("run", id.ToString(CultureInfo.InvariantCulture)));
        return await acts.DoAsync(context, act, async () =>
        {
            if (!await store.CancelAsync(realm, id, clock.GetUtcNow(), context.RequestAborted))
                throw new RequestRefusedException(
                    StatusCodes.Status409Conflict,
                    $"The run has ended: it is {(await FindAsync(realm, id, context.RequestAborted)).Status}.");
            return Screens.GoTo(AddressOf(realm, id), "stopped");
        });
    }

    public static string AddressOf(string realm, long id) =>
        string.Create(CultureInfo.InvariantCulture, $"{Menu.Runs}/{Texts.Segment(realm)}/{id}");

    private Task<IResult> StartAsync(HttpContext context, RunRequest request, PageAct act) => acts.DoAsync(context, act, async () =>
        Screens.GoTo(AddressOf(request.Realm, await starter.StartAsync(request, context.RequestAborted)), "started"));

    private async Task<IResult> ShowAsync(HttpContext context, string realm, long id, string? fault, int status)
    {
        var run = await FindAsync(realm, id, context.RequestAborted);
        var opening = policies.Current.RulesOf(realm).Opening(clock.GetUtcNow(), mapped: null).Amount;
        return Screens.Show<RunPageView, RunModel>(
            context,
            new RunModel(run, Operator.Of(context).MayChange(realm), CanStart(run), NeedsName(run), opening * run.Missing, fault),
            status);
    }

    private bool CanStart(RunView run) =>
        run is { DryRun: true, Status: "done", EndedAt: { } ended } && clock.GetUtcNow() - ended < DryRunCountsFor;

    private static bool NeedsName(RunView run) => run.Missing > MostWithoutName || run.NotShown > 0;

    private async Task<RunView> FindAsync(string realm, long id, CancellationToken cancellationToken) =>
        await store.FindAsync(realm, id, cancellationToken) ?? throw Operator.NotFound();
}

internal static class PageRunRoutes
{
    public static void MapRuns(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/runs", (HttpContext context, RunsScreen screen) => screen.ListAsync(context));
        screens.MapPost("/runs/{realm}", (HttpContext context, RunsScreen screen, string realm) => screen.CountAsync(context, realm));
        var one = screens.MapGroup("/runs/{realm}/{id:long}");
        one.MapGet("", (HttpContext context, RunsScreen screen, string realm, long id) => screen.ShowAsync(context, realm, id));
        one.MapPost("/go", (HttpContext context, RunsScreen screen, string realm, long id) => screen.GoAsync(context, realm, id));
        one.MapPost("/stop", (HttpContext context, RunsScreen screen, string realm, long id) => screen.StopAsync(context, realm, id));
        one.MapGet("/live", (HttpContext context, RunStream stream, string realm, long id) => stream.SendAsync(context, realm, id))
            .WithMetadata(new IsStream());
    }
}

/// <param name="Days">The oldest first.</param>
internal sealed record RunsModel(
    string Realm, IReadOnlyList<string> Realms, IReadOnlyList<RunView> Runs, IReadOnlyList<RunDay> Days, IReadOnlyList<string> Modes,
    bool MayChange);

/// <param name="CanStart">Whether it is a dry run that may be started for good.</param>
/// <param name="NeedsName">Whether the realm's name has to be typed for that.</param>
/// <param name="Cost">Opening credits of the accounts that it would open, in the tier that the realm gives where no rule matches.</param>
/// <param name="Fault">What was typed wrong; null for nothing.</param>
internal sealed record RunModel(RunView Run, bool MayChange, bool CanStart, bool NeedsName, decimal Cost, string? Fault)
{
    public bool IsActive => Run.Status is "running" or "waiting";
}
