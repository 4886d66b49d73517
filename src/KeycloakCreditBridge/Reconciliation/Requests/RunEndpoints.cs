using System.ComponentModel.DataAnnotations;
using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Reconciliation.Runs;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>Lets an administrator of a realm start, follow and cancel its reconciliations.</summary>
internal sealed class RunEndpoints(RequestedRunStore store, RunStarter starter, TimeProvider clock)
{
    private const string Path = "/api/v1/admin/reconciliations";

    private const int MostUsers = 1_000;
    private const int MostRuns = 50;

    public async Task<IResult> StartAsync(HttpContext context)
    {
        var realm = Caller.Of(context).Realm;
        var fields = await BodyFields.ReadAsync(context.Request);
        var mode = fields.Choice("mode", "auto", "counts", "windows", "list", "database");
        var request = new RunRequest(
            realm, RunTriggers.Http, fields.OptionalInstant("since"), fields.OptionalTexts("user_ids", MostUsers),
            fields.Flag("dry_run"), fields.Flag("re_evaluate"), AllowClosing: fields.OptionalCount("allow_closing"));
        fields.Check();
        request = request with { Mode = Enum.Parse<ReconcileMode>(mode, ignoreCase: true) };
        var id = await starter.StartAsync(request, context.RequestAborted);
        return TypedResults.Accepted(string.Create(CultureInfo.InvariantCulture, $"{Path}/{id}"), await FindAsync(realm, id, context));
    }

    public async Task<IResult> ListAsync(HttpContext context) =>
        TypedResults.Ok(await store.LatestAsync(Caller.Of(context).Realm, MostRuns, context.RequestAborted));

    public async Task<IResult> ShowAsync(HttpContext context, long id) =>
        TypedResults.Ok(await FindAsync(Caller.Of(context).Realm, id, context));

    public async Task<IResult> CancelAsync(HttpContext context, long id)
    {
        var realm = Caller.Of(context).Realm;
        var isCancelled = await store.CancelAsync(realm, id, clock.GetUtcNow(), context.RequestAborted);
        var run = await FindAsync(realm, id, context);
        return isCancelled
            ? TypedResults.Ok(run)
            : throw new RequestRefusedException(StatusCodes.Status409Conflict, $"The run has ended: it is {run.Status}.");
    }

    private async Task<RunView> FindAsync(string realm, long id, HttpContext context) =>
        await store.FindAsync(realm, id, context.RequestAborted)
        ?? throw new RequestRefusedException(StatusCodes.Status404NotFound, $"Realm {realm} has no run {id}.");
}

/// <summary>The body of a request for a run.</summary>
internal sealed record RunShape(
    [property: RegularExpression("^(auto|counts|windows|list|database)$")] string? Mode = null, DateTimeOffset? Since = null,
    [property: Length(1, 1_000)] string[]? UserIds = null, bool? DryRun = null, bool? ReEvaluate = null,
    [property: Range(0, int.MaxValue)] int? AllowClosing = null);
