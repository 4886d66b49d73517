using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Reconciliation.Runs;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>The routes of runs. An administrator of a realm sees and starts runs of that realm.</summary>
internal static class RunRoutes
{
    public static void MapRuns(this IEndpointRouteBuilder api)
    {
        var runs = api.MapGroup("/admin/reconciliations").WithTags("Runs").RequireToken(CallerRoles.Admin);
        runs.MapPost("", (HttpContext context, RunEndpoints endpoints) => endpoints.StartAsync(context))
            .AnswersAccepted<RunView>("startRun", "Starts a run over the realm.")
            .TakesJson<RunShape>().AnswersProblems(StatusCodes.Status409Conflict);
        runs.MapGet("", (HttpContext context, RunEndpoints endpoints) => endpoints.ListAsync(context))
            .Answers<RunView[]>("listRuns", "Lists the realm's latest runs, newest first.");
        runs.MapGet("/{id:long}", (HttpContext context, long id, RunEndpoints endpoints) => endpoints.ShowAsync(context, id))
            .Answers<RunView>("getRun", "Shows how far a run is.");
        runs.MapDelete("/{id:long}", (HttpContext context, long id, RunEndpoints endpoints) => endpoints.CancelAsync(context, id))
            .Answers<RunView>("cancelRun", "Cancels a run: it ends after its current part.")
            .AnswersProblems(StatusCodes.Status409Conflict);
    }
}
