using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Grants.Experiments.Results;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Experiments;

/// <summary>What experiments came to; one is stopped, or its winner named.</summary>
internal sealed class ExperimentsScreen(ExperimentReports reports, ExperimentStore store, ActRunner acts, TimeProvider clock)
{
    private const int LongestName = 40;

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, realm) = (Operator.Of(context), new AskedFilters(context).Realm());
        return Screens.Show<ExperimentsView, ExperimentsModel>(
            context,
            new ExperimentsModel(
                realm, user.Realms, await reports.ListAsync([realm], null, context.RequestAborted), user.MayChange(realm)));
    }

    /// <summary>Ends an experiment for new users. Its name is typed, as nothing begins it again.</summary>
    public async Task<IResult> DecideAsync(HttpContext context, string realm, string name)
    {
        var (user, form) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        user.Demand(realm, Access.View);
        var (reason, winner) = (Reason.Of(form), form["winner"].ToString() is { Length: > 0 } arm ? arm : null);
        var act = new PageAct(
            "decide_experiment", realm, null, ("experiment", name), ("winner", winner), ("reason", reason));
        return await acts.DoAsync(context, act, async () =>
        {
            Reason.Check(reason);
            var found = await FindAsync(realm, name, context.RequestAborted);
            if (form["name"] != name)
                throw new RequestRefusedException(StatusCodes.Status400BadRequest, $"Type {name} to confirm it. Nothing was changed.");
            if (winner is not null && found.Arms.All(other => other.Arm.Name != winner))
                throw new RequestRefusedException(StatusCodes.Status400BadRequest, "The experiment has no such arm.");
            var version = await store.DecideAsync(realm, name, winner, user.Subject, clock.GetUtcNow(), CancellationToken.None);
            return version is not null ? Screens.GoTo(AddressOf(realm), winner is null ? "experiment_stopped" : "experiment_won")
                : throw new RequestRefusedException(StatusCodes.Status409Conflict, "This was decided before: nothing changed.");
        });
    }

    public static string AddressOf(string realm) => $"{Menu.Experiments}?realm={Texts.Segment(realm)}";

    private async Task<ExperimentResult> FindAsync(string realm, string name, CancellationToken cancellationToken) =>
        name.Length <= LongestName && await reports.ListAsync([realm], name, cancellationToken) is [var found]
            ? found
            : throw Operator.NotFound();
}

internal static class PageExperimentRoutes
{
    public static void MapExperiments(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/experiments", (HttpContext context, ExperimentsScreen screen) => screen.ShowAsync(context));
        screens.MapPost(
            "/experiments/{realm}/{name}",
            (HttpContext context, ExperimentsScreen screen, string realm, string name) => screen.DecideAsync(context, realm, name));
    }
}

internal sealed record ExperimentsModel(
    string Realm, IReadOnlyList<string> Realms, IReadOnlyList<ExperimentResult> Results, bool MayChange);
