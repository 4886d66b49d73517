using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Grants.Review.Holds;

namespace KeycloakCreditBridge.Credits.Holds;

/// <summary>The routes of held grants.</summary>
internal static class HoldRoutes
{
    public static void Map(RouteGroupBuilder holds, RouteGroupBuilder grants)
    {
        holds.MapGet("", (HttpContext http, HoldEndpoints endpoints) => endpoints.ListAsync(http))
            .RequireToken(CallerRoles.Admin)
            .Answers<HoldShape[]>(
                "listHolds", "Held grants of the realm: undecided ones first, of these appeals, then the oldest.", "state", "account",
                "policy", "signal", "at_least", "appealed", "limit");
        holds.MapPost("/decide", (HttpContext http, HoldEndpoints endpoints) => endpoints.DecideManyAsync(http))
            .RequireToken(CallerRoles.Admin)
            .Answers<DecidedManyShape>("decideHolds", "Decides up to 1,000 undecided holds. Without `confirm` it counts them only.")
            .TakesJson<DecideManyShape>().AnswersProblems(StatusCodes.Status409Conflict);
        holds.MapGet("/{hold}", (HttpContext http, string hold, HoldEndpoints endpoints) => endpoints.ShowAsync(http, hold))
            .RequireToken(CallerRoles.Admin)
            .Answers<HoldShape>("getHold", "A held grant of the realm.");
        holds.MapPost(
                "/{hold}/approve",
                (HttpContext http, string hold, HoldEndpoints endpoints) => endpoints.DecideAsync(http, hold, HoldState.Approved))
            .RequireToken(CallerRoles.Admin)
            .Answers<DecidedShape>("approveHold", "Pays a held grant: what it came to at the hold, its end counted from now.")
            .TakesJson<DecideShape>().AnswersProblems(StatusCodes.Status409Conflict);
        holds.MapPost(
                "/{hold}/reject",
                (HttpContext http, string hold, HoldEndpoints endpoints) => endpoints.DecideAsync(http, hold, HoldState.Rejected))
            .RequireToken(CallerRoles.Admin)
            .Answers<DecidedShape>("rejectHold", "Refuses a held grant: nothing pays it any more. The account stays as it is.")
            .TakesJson<DecideShape>().AnswersProblems(StatusCodes.Status409Conflict);
        grants.MapPost("/{key}/appeal", (HttpContext http, string key, HoldEndpoints endpoints) => endpoints.AppealAsync(http, key))
            .Answers<AppealedShape>("appealGrant", "Has a refused grant of the caller reviewed again, once.")
            .TakesJson<AppealShape>().AnswersProblems(StatusCodes.Status409Conflict);
    }
}
