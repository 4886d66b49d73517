using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Grants;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Review;

/// <summary>Grants that a review holds back: each is approved or rejected, or all that match a filter once they were counted.</summary>
internal sealed class ReviewScreen(
    HoldListStore store, HoldBook book, HoldBulk bulk, Hot<FraudRules> rules, BalanceCache cache, ActRunner acts, TimeProvider clock)
{
    private const int PageSize = 50;
    private const int MostPages = 1_000;
    private const int MostWithoutName = 20;

    private static readonly TimeSpan DecidedWithin = TimeSpan.FromDays(30);

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, asked) = (Operator.Of(context), context.Request.Query);
        var filters = new AskedFilters(context);
        var realm = filters.Realm();
        var filter = ReviewFilter.Of(realm, filters);
        var page = NumberOf(asked["page"], MostPages) ?? 1;
        var rows = await store.ListAsync(filter.Holds, PageSize + 1, context.RequestAborted, (page - 1) * PageSize);
        var count = await store.CountAsync(filter.Holds, context.RequestAborted);
        var overturned = user.SeesAll ? await store.OverturnedAsync(clock.GetUtcNow() - DecidedWithin, context.RequestAborted) : [];
        return Screens.Show<ReviewView, ReviewModel>(
            context,
            new ReviewModel(
                filter, user.Realms, [.. rows.Take(PageSize).Select(HoldRow.Of)], rows.Count > PageSize, page, count, overturned,
                rules.Current.Of(realm) is not null, user.MayChange(realm), filters.Ignored));
    }

    /// <summary>Approves or rejects one hold, as it was when it was shown.</summary>
    public async Task<IResult> DecideAsync(HttpContext context, string realm, Guid id)
    {
        var (user, form) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        user.Demand(realm, Access.View);
        var (to, note) = (DecisionOf(form), NoteOf(form));
        var act = new PageAct("decide_hold", realm, null, ("hold", id.ToString()), ("decision", HoldMoves.Name(to)), ("note", note));
        return await acts.DoAsync(context, act, async () =>
        {
            Check(note);
            var decision = new HoldDecision(id, NumberOf(form["version"], int.MaxValue) ?? 0, to, user.Subject, note, AddressOf(context));
            // It goes on when the operator leaves, who could not know the outcome otherwise.
            var done = await GrantEnd.RespectedAsync(() => book.DecideAsync(decision, [realm], CancellationToken.None));
            if (done.AccountId is { } account)
                cache.Forget(account);
            return done.Outcome switch
            {
                DecisionOutcome.Done => Screens.GoTo(AddressOf(realm), HoldMoves.Name(to)),
                DecisionOutcome.Unknown => throw Operator.NotFound(),
                DecisionOutcome.Changed => throw Refused(await ChangedAsync(realm, id, context.RequestAborted)),
                var outcome => throw Refused(DecisionTexts.Of(outcome)),
            };
        });
    }

    /// <summary>Counts the undecided holds of a filter, and decides them where the count still holds.</summary>
    public async Task<IResult> BulkAsync(HttpContext context, string realm)
    {
        var (user, form) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        user.Demand(realm, Access.View);
        var filter = ReviewFilter.Of(realm, form);
        var order = new BulkDecision(filter.Holds, DecisionOf(form), null, user.Subject, NoteOf(form), AddressOf(context));
        var confirmed = NumberOf(form["count"], int.MaxValue);
        var isNamed = confirmed <= MostWithoutName || form["name"] == realm;
        if (user.MayChange(realm) && (form["step"] != "do" || !isNamed))
        {
            Check(order.Note);
            var counted = await bulk.DecideAsync(order, context.RequestAborted);
            var fault = form["step"] == "do" ? $"Type {realm} to decide them." : null;
            return Screens.Show<BulkView, BulkModel>(
                context, new BulkModel(filter, order, counted, IsDone: false, counted.Count > MostWithoutName, fault),
                fault is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest);
        }

        var act = new PageAct(
            "decide_holds", realm, null, ("decision", HoldMoves.Name(order.To)), ("count", form["count"]), ("note", order.Note),
            ("policy", filter.Holds.Policy), ("signal", filter.Holds.Signal), ("score", filter.Score));
        return await acts.DoAsync(context, act, async () =>
        {
            Check(order.Note);
            var done = await GrantEnd.RespectedAsync(
                () => bulk.DecideAsync(order with { Confirmed = confirmed ?? -1 }, CancellationToken.None));
            if (!done.IsConfirmed || done.IsTooMany)
                throw Refused($"Nothing was decided: {Texts.Count(done.Count)} holds match meanwhile. Count and confirm again.");
            return Screens.Show<BulkView, BulkModel>(context, new BulkModel(filter, order, done, IsDone: true, NeedsName: false, null));
        });
    }

    public static string AddressOf(string realm) => $"{Menu.Review}?realm={Texts.Segment(realm)}";

    private async Task<string> ChangedAsync(string realm, Guid id, CancellationToken cancellationToken) =>
        await store.FindAsync(id, [realm], cancellationToken) is { State: not "held" } hold
            ? $"Nothing was done: {Texts.Visible(hold.DecidedBy)} decided it meanwhile, it is {hold.State}."
            : "Nothing was done: the hold changed meanwhile. Open the list again.";

    private static HoldState DecisionOf(IFormCollection form) => form["do"] == "approve" ? HoldState.Approved : HoldState.Rejected;

    private static string? NoteOf(IFormCollection form) => form["note"].ToString().Trim() is { Length: > 0 } note ? note : null;

    private static void Check(string? note)
    {
        if (note?.Length > HoldDecision.LongestNote || note?.Contains('\0', StringComparison.Ordinal) == true)
        {
            throw new RequestRefusedException(
                StatusCodes.Status400BadRequest, $"The note has {note.Length} characters: give at most {HoldDecision.LongestNote}.");
        }
    }

    private static int? NumberOf(string? text, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most
            ? number : null;

    private static RequestRefusedException Refused(string reason) => new(StatusCodes.Status409Conflict, reason);

    private static string? AddressOf(HttpContext context) => context.Connection.RemoteIpAddress?.ToString();
}

internal static class PageReviewRoutes
{
    public static void MapReview(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/review", (HttpContext context, ReviewScreen screen) => screen.ShowAsync(context));
        screens.MapPost(
            "/review/{realm}/all", (HttpContext context, ReviewScreen screen, string realm) => screen.BulkAsync(context, realm));
        screens.MapPost(
            "/review/{realm}/{id:guid}",
            (HttpContext context, ReviewScreen screen, string realm, Guid id) => screen.DecideAsync(context, realm, id));
    }
}
