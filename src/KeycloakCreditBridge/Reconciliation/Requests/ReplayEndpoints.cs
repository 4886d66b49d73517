using System.ComponentModel.DataAnnotations;
using System.Globalization;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Intake.Deliveries.Review;
using KeycloakCreditBridge.Reconciliation.Runs;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>Lets an administrator replay all failed deliveries of a realm.</summary>
internal sealed class ReplayEndpoints(FailedReplay replay, RequestedRunStore runs, IOptions<ReconciliationOptions> options)
{
    private const string Runs = "/api/v1/admin/reconciliations";

    public static void Map(IEndpointRouteBuilder api)
    {
        var failed = api.MapGroup("/admin/deliveries/failed").WithTags("Deliveries").RequireToken(CallerRoles.Admin);
        failed.MapGet("", (HttpContext context, ReplayEndpoints endpoints) => endpoints.CountAsync(context))
            .Answers<FailedDeliveries>("countFailedDeliveries", "How many deliveries failed, and how many users they concern.", "since");
        failed.MapPost("/replay", (HttpContext context, ReplayEndpoints endpoints) => endpoints.StartAsync(context))
            .AnswersAccepted<RunView>("replayFailedDeliveries", "Starts a run over the users of failed deliveries.")
            .TakesJson<ReplayShape>().AnswersProblems(StatusCodes.Status409Conflict);
    }

    public async Task<IResult> CountAsync(HttpContext context)
    {
        Dictionary<string, string> problems = [];
        var since = DeliveryEndpoints.Since(context.Request.Query, problems);
        if (since is null)
            problems.TryAdd("since", "is missing: give a date or an instant");
        return problems.Count == 0
            ? TypedResults.Ok(await replay.CountAsync(Caller.Of(context).Realm, since!.Value, context.RequestAborted))
            : throw RequestRefusedException.Invalid(problems);
    }

    public async Task<IResult> StartAsync(HttpContext context)
    {
        var caller = Caller.Of(context);
        var fields = await BodyFields.ReadAsync(context.Request);
        var (since, users) = (fields.OptionalInstant("since"), fields.OptionalCount("users"));
        fields.Check();
        Dictionary<string, string> problems = [];
        if (since is null)
            problems["since"] = "is missing: give the time of the first delivery";
        if (users is null)
            problems["users"] = "is missing: give the number of users that GET /api/v1/admin/deliveries/failed answers";
        if (problems.Count > 0)
            throw RequestRefusedException.Invalid(problems);
        if (!options.Value.Enabled)
        {
            throw new RequestRefusedException(
                StatusCodes.Status409Conflict, "Reconciliation:Enabled is false on this replica: ask a replica that reconciles.");
        }

        try
        {
            var run = await replay.StartAsync(caller.Realm, since!.Value, users!.Value, caller.Key, context.RequestAborted);
            var view = await runs.FindAsync(caller.Realm, run, context.RequestAborted);
            return TypedResults.Accepted(string.Create(CultureInfo.InvariantCulture, $"{Runs}/{run}"), view);
        }
        catch (ReplayRefusedException refusal)
        {
            throw new RequestRefusedException(StatusCodes.Status409Conflict, refusal.Message);
        }
    }
}

/// <summary>The body of a request to replay failed deliveries.</summary>
/// <param name="Since">Deliveries that came at this time or later.</param>
/// <param name="Users">How many users they concern, as the count said. A number that is off by more than 1 % is refused.</param>
internal sealed record ReplayShape(DateTimeOffset Since, [property: Range(0, int.MaxValue)] int Users);
