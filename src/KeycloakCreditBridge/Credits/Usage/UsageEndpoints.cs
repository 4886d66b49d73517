using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;

namespace KeycloakCreditBridge.Credits.Usage;

/// <summary>What somebody used in a time: the last 30 days unless start_date and end_date say otherwise.</summary>
internal sealed class UsageEndpoints(AccountLookup accounts, UsageSummaryStore store, TimeProvider clock)
{
    private static readonly TimeSpan UsualPeriod = TimeSpan.FromDays(30);

    // Others would leave open which of two numbers is the day, or which day it was.
    private static readonly string[] Instants = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK"];

    // Far enough from what a date can be that a day more and a usual period less are dates too.
    private static readonly DateTimeOffset Earliest = DateTimeOffset.UnixEpoch;
    private static readonly DateTimeOffset TooLate = new(9999, 12, 31, 0, 0, 0, TimeSpan.Zero);

    public Task<IResult> SummaryAsync(HttpContext context, string? user_id) =>
        AnswerAsync(context, user_id, (reach, period) => store.SummaryAsync(reach, period, context.RequestAborted));

    public Task<IResult> ByModelAsync(HttpContext context, string? user_id) =>
        AnswerAsync(context, user_id, (reach, period) => store.GroupsAsync(reach, period, byModel: true, context.RequestAborted));

    public Task<IResult> ByServiceAsync(HttpContext context, string? user_id) =>
        AnswerAsync(context, user_id, (reach, period) => store.GroupsAsync(reach, period, byModel: false, context.RequestAborted));

    private async Task<IResult> AnswerAsync(HttpContext context, string? user, Func<AccountSelector, UsagePeriod, Task<string?>> find)
    {
        var period = PeriodOf(context.Request.Query);
        var caller = Caller.Of(context);
        var reach = accounts.Select(caller, user);
        return BalanceEndpoints.Json(await accounts.FindOrOpenAsync(caller, reach, () => find(reach, period), context.RequestAborted));
    }

    private UsagePeriod PeriodOf(IQueryCollection query)
    {
        Dictionary<string, string> problems = [];
        var until = Instant("end_date", nextDay: true) ?? clock.GetUtcNow();
        var from = Instant("start_date", nextDay: false) ?? until - UsualPeriod;
        if (problems.Count == 0 && from >= until)
            problems["start_date"] = "is not before end_date";
        return problems.Count == 0 ? new UsagePeriod(from, until) : throw RequestRefusedException.Invalid(problems);

        // A day that is named as the end is part of the time.
        DateTimeOffset? Instant(string name, bool nextDay)
        {
            if (query.SingleValue(name, problems) is not { } text)
                return null;
            var isDay = DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day);
            var instant = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero);
            if (isDay || DateTimeOffset.TryParseExact(text, Instants, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out instant))
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
