using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Reconciliation.Runs;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>The routes of reconciliations, for administrators of a realm and for that realm.</summary>
internal static class RunRoutes
{
    public static void MapRuns(this IEndpointRouteBuilder api)
    {
        var runs = api.MapGroup("/admin/reconciliations").RequireToken(CallerRoles.Admin);
        runs.MapPost("", (HttpContext context, RunEndpoints endpoints) => endpoints.StartAsync(context))
            .AnswersAccepted<RunView>("Has the realm reconciled; the header Location has the run's address.").TakesJson<RunShape>();
        runs.MapGet("", (HttpContext context, RunEndpoints endpoints) => endpoints.ListAsync(context))
            .Answers<RunView[]>("The realm's latest runs, newest first.");
        runs.MapGet("/{id:long}", (HttpContext context, long id, RunEndpoints endpoints) => endpoints.ShowAsync(context, id))
            .Answers<RunView>("How far a run is.");
        runs.MapDelete("/{id:long}", (HttpContext context, long id, RunEndpoints endpoints) => endpoints.CancelAsync(context, id))
            .Answers<RunView>("Has a run end behind the part that it is at.");
    }
}
