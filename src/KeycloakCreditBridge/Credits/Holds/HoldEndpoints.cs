using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Grants;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Review.Holds;

namespace KeycloakCreditBridge.Credits.Holds;

/// <summary>Shows held grants to administrators, takes their decisions, and the appeals of users.</summary>
internal sealed class HoldEndpoints(
    AccountLookup accounts, BalanceStore balances, BalanceCache cache, HoldListStore holds, HoldBook book, HoldBulk bulk)
{
    private const int UsualPage = 50;
    private const int LongestPage = 500;
    private const int LongestName = 100;
    private const int LongestId = 255;
    private const int HighestScore = 100;

    private static readonly string[] States = [.. Enum.GetValues<HoldState>().Select(HoldMoves.Name)];

    private static readonly string[] Decisions = ["approve", "reject"];

    public async Task<IResult> ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        Dictionary<string, string> problems = [];
        var state = query.SingleValue("state", problems);
        if (state is not null && !States.Contains(state, StringComparer.Ordinal))
            problems["state"] = $"is none of {string.Join(", ", States)}";
        var filter = new HoldFilter([Caller.Of(context).Realm])
        {
            Account = Plain("account"),
            Policy = Plain("policy"),
            Signal = Plain("signal"),
            AtLeast = Number("at_least", 0, 0, HighestScore),
            Appealed = query.SingleValue("appealed", problems) is "true",
        };
        var limit = Number("limit", UsualPage, 1, LongestPage);
        if (problems.Count > 0)
            throw RequestRefusedException.Invalid(problems);
        var found = await holds.ListAsync(
            filter with { State = state is null ? null : HoldMoves.Parse(state) }, limit, context.RequestAborted);
        return TypedResults.Ok(found.Select(HoldShape.Of).ToArray());

        string? Plain(string name)
        {
            var value = query.SingleValue(name, problems);
            if (value?.Contains('\0', StringComparison.Ordinal) == true)
                problems[name] = "has a character that cannot be stored";
            return value;
        }

        int Number(string name, int usual, int least, int most)
        {
            if (query.SingleValue(name, problems) is not { } text)
                return usual;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
                return number;
            problems[name] = string.Create(CultureInfo.InvariantCulture, $"is not a whole number from {least} to {most}");
            return usual;
        }
    }

    public async Task<IResult> ShowAsync(HttpContext context, string id) =>
        TypedResults.Ok(HoldShape.Of(await FindAsync(Caller.Of(context), id, context.RequestAborted)));

    /// <summary>Approves or rejects one hold; 409 where it was decided or reopened since, or cannot be paid.</summary>
    public async Task<IResult> DecideAsync(HttpContext context, string id, HoldState to)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        fields.Only(["version", "note"]);
        var (version, note) = (fields.OptionalCount("version"), fields.OptionalText("note", HoldDecision.LongestNote));
        if (version is null)
            fields.Refuse("version", "is missing: give that of the hold as you saw it");
        fields.Check();
        var caller = Caller.Of(context);
        var hold = await FindAsync(caller, id, context.RequestAborted);
        // It goes on when the caller disconnects, who could not know the outcome otherwise.
        var result = await GrantEnd.RespectedAsync(() => book.DecideAsync(
            new HoldDecision(hold.Id, version!.Value, to, caller.Subject, note, context.Connection.RemoteIpAddress?.ToString()),
            [caller.Realm], CancellationToken.None));
        cache.Forget(hold.AccountId);
        if (result.Outcome == DecisionOutcome.Done)
            return TypedResults.Ok(new DecidedShape(hold.Id, hold.AccountId, result.State!, Amount.Text(result.Credits)));
        var now = await FindAsync(caller, id, CancellationToken.None);
        var by = now.DecidedBy is null ? "" : $" by {now.DecidedBy}";
        throw new RequestRefusedException(
            StatusCodes.Status409Conflict, string.Create(
                CultureInfo.InvariantCulture, $"The hold is {now.State}{by}, version {now.Version}: {DecisionTexts.Of(result.Outcome)}"));
    }

    /// <summary>Decides many holds; without `confirm` it counts them.</summary>
    public async Task<IResult> DecideManyAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        fields.Only(["decision", "user_id", "policy", "signal", "at_least", "appealed", "confirm", "note"]);
        var decision = fields.Choice("decision", Decisions);
        var caller = Caller.Of(context);
        var filter = new HoldFilter([caller.Realm])
        {
            Account = fields.OptionalText("user_id", LongestId),
            Policy = fields.OptionalText("policy", LongestName),
            Signal = fields.OptionalText("signal", LongestName),
            AtLeast = fields.OptionalCount("at_least", HighestScore) ?? 0,
            Appealed = fields.Flag("appealed"),
        };
        var (confirmed, note) = (fields.OptionalCount("confirm", HoldBulk.Most), fields.OptionalText("note", HoldDecision.LongestNote));
        fields.Check();
        var result = await GrantEnd.RespectedAsync(() => bulk.DecideAsync(
            new BulkDecision(
                filter, decision == Decisions[0] ? HoldState.Approved : HoldState.Rejected, confirmed, caller.Subject, note,
                context.Connection.RemoteIpAddress?.ToString()),
            CancellationToken.None));
        cache.ForgetAll();
        return confirmed is null || (result is { IsConfirmed: true, IsTooMany: false })
            ? TypedResults.Ok(DecidedManyShape.Of(result))
            : throw new RequestRefusedException(
                StatusCodes.Status409Conflict, string.Create(
                    CultureInfo.InvariantCulture,
                    $"Nothing was decided: these are {(result.IsTooMany ? $"more than {HoldBulk.Most}" : result.Count)} holds."));
    }

    /// <summary>The user's own appeal, once for a held grant.</summary>
    public async Task<IResult> AppealAsync(HttpContext context, string key)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        fields.Only(["text"]);
        var text = fields.Text("text", HoldBook.LongestAppeal);
        fields.Check();
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, null);
        var account = (await balances.FindAsync(selector, context.RequestAborted)
            ?? throw RequestRefusedException.NoAccount(caller.Subject)).AccountId;
        var outcome = key.Contains('\0', StringComparison.Ordinal)
            ? AppealOutcome.Unknown : await book.AppealAsync(account, key, text, CancellationToken.None);
        return outcome switch
        {
            AppealOutcome.Done => TypedResults.Ok(new AppealedShape(account, key, OfferStates.InReview)),
            AppealOutcome.Unknown => throw new RequestRefusedException(
                StatusCodes.Status404NotFound, "No such grant of the account was reviewed: GET /api/v1/credits/grants has the keys."),
            AppealOutcome.InReview => throw Refused("The grant is in review: an appeal follows a decision."),
            AppealOutcome.Approved => throw Refused("The grant was paid."),
            _ => throw Refused("An appeal was made before: a grant is reviewed again once."),
        };

        static RequestRefusedException Refused(string why) => new(StatusCodes.Status409Conflict, why);
    }

    private async Task<ListedHold> FindAsync(Caller caller, string id, CancellationToken cancellationToken) =>
        (Guid.TryParse(id, out var known) ? await holds.FindAsync(known, [caller.Realm], cancellationToken) : null)
        ?? throw new RequestRefusedException(StatusCodes.Status404NotFound, DecisionTexts.Of(DecisionOutcome.Unknown));
}
