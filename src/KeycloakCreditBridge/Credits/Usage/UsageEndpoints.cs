using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;

namespace KeycloakCreditBridge.Credits.Usage;

/// <summary>Usage of a user within a time: the last 30 days unless start_date and end_date are given.</summary>
internal sealed class UsageEndpoints(AccountLookup accounts, UsageSummaryStore store, TimeProvider clock)
{
    private static readonly TimeSpan UsualPeriod = TimeSpan.FromDays(30);

    // Other formats leave open which number is the day, or which day it was.
    private static readonly string[] Instants = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK"];

    // A day later and a usual period earlier must be dates too.
    private static readonly DateTimeOffset Earliest = DateTimeOffset.UnixEpoch;
    private static readonly DateTimeOffset TooLate = new(9999, 12, 31, 0, 0, 0, TimeSpan.Zero);

    public Task<IResult> SummaryAsync(HttpContext context, string? user_id) =>
        AnswerAsync(context, user_id, (selector, period) => store.SummaryAsync(selector, period, context.RequestAborted));

    public Task<IResult> ByModelAsync(HttpContext context, string? user_id) =>
        AnswerAsync(context, user_id, (selector, period) => store.GroupsAsync(selector, period, byModel: true, context.RequestAborted));

    public Task<IResult> ByServiceAsync(HttpContext context, string? user_id) =>
        AnswerAsync(context, user_id, (selector, period) => store.GroupsAsync(selector, period, byModel: false, context.RequestAborted));

    private async Task<IResult> AnswerAsync(HttpContext context, string? user, Func<AccountSelector, UsagePeriod, Task<string?>> find)
    {
        var period = PeriodOf(context.Request.Query);
        var caller = Caller.Of(context);
        var selector = accounts.Select(caller, user);
        return BalanceEndpoints.Json(
            await accounts.FindOrOpenAsync(caller, selector, () => find(selector, period), context.RequestAborted));
    }

    private UsagePeriod PeriodOf(IQueryCollection query)
    {
        Dictionary<string, string> problems = [];
        var until = Instant("end_date", nextDay: true) ?? clock.GetUtcNow();
        var from = Instant("start_date", nextDay: false) ?? until - UsualPeriod;
        if (problems.Count == 0 && from >= until)
            problems["start_date"] = "is not before end_date";
        return problems.Count == 0 ? new UsagePeriod(from, until) : throw RequestRefusedException.Invalid(problems);

        // A day given as the end is part of the time.
        DateTimeOffset? Instant(string name, bool nextDay)
        {
            if (query.SingleValue(name, problems) is not { } text)
                return null;
            var isDay = DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day);
            var instant = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero);
            if (isDay || DateTimeOffset.TryParseExact(text, Instants, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
                out instant))
            {
                if (instant >= Earliest && instant < TooLate)
                    return isDay && nextDay ? instant.AddDays(1) : instant.ToUniversalTime();
                problems[name] = "is not from 1970-01-01 to 9999-12-30";
                return null;
            }

            problems[name] = "is neither a date as 2026-01-31 nor an instant as 2026-01-31T12:00:00Z";
            return null;
        }
    }
}
