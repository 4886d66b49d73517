using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;

namespace KeycloakCreditBridge.Intake.Deliveries.Review;

/// <summary>Shows an administrator what came in for the realm, and replays it.</summary>
internal sealed class DeliveryEndpoints(DeliveryListStore store, DeliveryReplay replay)
{
    /// <summary>Has the cursor of the next page; the last page has none.</summary>
    public const string NextCursor = "Next-Cursor";

    private const int UsualPage = 50;
    private const int LongestPage = 500;

    private static readonly string[] Instants = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    public async Task<IResult> ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        Dictionary<string, string> problems = [];
        var limit = Limit(query, problems);
        var outcome = query.SingleValue("outcome", problems);
        if (outcome is not (null or DeliveryFilter.Failed) && !DeliveryOutcomes.All.Contains(outcome, StringComparer.Ordinal))
            problems["outcome"] = $"is none of {string.Join(", ", DeliveryOutcomes.All)}, {DeliveryFilter.Failed}";
        var since = Since(query, problems);
        Guid? before = null;
        if (query.SingleValue("cursor", problems) is { } cursor)
        {
            if (Guid.TryParseExact(cursor, "D", out var id))
                before = id;
            else
                problems["cursor"] = $"is not a cursor of the header {NextCursor}";
        }

        var user = query.SingleValue("user_id", problems);
        if (problems.Count > 0)
            throw RequestRefusedException.Invalid(problems);
        var found = await store.ListAsync(
            new DeliveryFilter(Caller.Of(context).Realm, outcome, user, since, before), limit, context.RequestAborted);
        if (found.Count == limit)
            context.Response.Headers[NextCursor] = $"{found[^1].Id}";
        return TypedResults.Ok(found);
    }

    public async Task<IResult> UnprovenAsync(HttpContext context)
    {
        Dictionary<string, string> problems = [];
        var limit = Limit(context.Request.Query, problems);
        return problems.Count == 0
            ? TypedResults.Ok(await store.UnprovenAsync(Caller.Of(context).Realm, limit, context.RequestAborted))
            : throw RequestRefusedException.Invalid(problems);
    }

    public async Task<IResult> ShowAsync(HttpContext context, Guid id) => TypedResults.Ok(await FindAsync(context, id));

    public async Task<IResult> ReplayAsync(HttpContext context, Guid id)
    {
        var delivery = await FindAsync(context, id);
        if (DeliveryReplay.ProblemWith(delivery) is { } problem)
            throw new RequestRefusedException(StatusCodes.Status409Conflict, problem);
        await replay.ReplayAsync(delivery, Caller.Of(context).Key, context.RequestAborted);
        return TypedResults.Ok(delivery);
    }

    /// <summary>A day or an instant of the query; null without one.</summary>
    /// <param name="query">The query.</param>
    /// <param name="problems">What is wrong with each name.</param>
    public static DateTimeOffset? Since(IQueryCollection query, Dictionary<string, string> problems)
    {
        if (query.SingleValue("since", problems) is not { } text)
            return null;
        if (DateTimeOffset.TryParseExact(
            text, Instants, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var since))
        {
            return since;
        }

        problems["since"] = "is neither a date as 2026-01-31 nor an instant as 2026-01-31T12:00:00Z";
        return null;
    }

    private async Task<DeliveryView> FindAsync(HttpContext context, Guid id) =>
        await store.FindAsync(Caller.Of(context).Realm, id, context.RequestAborted)
        ?? throw new RequestRefusedException(StatusCodes.Status404NotFound, $"The realm has no delivery {id}, or no longer.");

    private static int Limit(IQueryCollection query, Dictionary<string, string> problems)
    {
        if (query.SingleValue("limit", problems) is not { } text)
            return UsualPage;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= LongestPage)
            return limit;
        problems["limit"] = $"is not a whole number from 1 to {LongestPage}";
        return UsualPage;
    }
}
