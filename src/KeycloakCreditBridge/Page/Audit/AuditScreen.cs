using System.Globalization;
using System.Text;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Audit;

/// <summary>The audit log: filtered, a page at a time, or as CSV.</summary>
internal sealed class AuditScreen(AuditListStore store)
{
    private const int PageSize = 100;
    private const int MostOfCsv = 10_000;

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (query, faults) = QueryOf(context);
        var lines = faults.Count > 0 ? [] : await store.ListAsync(query, PageSize + 1, context.RequestAborted);
        return Screens.Show<AuditView, AuditModel>(
            context, new AuditModel(query, [.. lines.Take(PageSize)], lines.Count > PageSize, faults, Search(context)),
            faults.Count > 0 ? StatusCodes.Status400BadRequest : StatusCodes.Status200OK);
    }

    public async Task<IResult> CsvAsync(HttpContext context)
    {
        var (query, faults) = QueryOf(context);
        if (faults.Count > 0)
            return await ShowAsync(context);
        var text = new StringBuilder("id,time,realm,account,action,result,by,reason,metadata\r\n");
        foreach (var line in await store.ListAsync(query, MostOfCsv, context.RequestAborted))
        {
            string?[] cells =
            [
                line.Id.ToString(CultureInfo.InvariantCulture), Texts.Iso(line.At), line.Realm, line.AccountId, line.Action, line.Result,
                line.By, line.Note, line.Metadata,
            ];
            text.AppendJoin(',', cells.Select(Csv.Cell)).Append("\r\n");
        }

        return TypedResults.File(Encoding.UTF8.GetBytes(text.ToString()), "text/csv; charset=utf-8", "audit.csv");
    }

    private static (AuditQuery Query, IReadOnlyList<string> Faults) QueryOf(HttpContext context)
    {
        var (user, asked) = (Operator.Of(context), context.Request.Query);
        List<string> faults = [];
        var realm = TextOf("realm");
        if (realm is not null)
            user.Demand(realm, Access.View);
        var (from, to) = (DayOf("from"), DayOf("to")?.AddDays(1));
        if (from >= to)
            faults.Add("The range ends before it begins: correct its days.");
        var before = long.TryParse(asked["before"], NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : long.MaxValue;
        return (
            new AuditQuery(
                realm is null ? user.Realms : [realm], realm is null && user.SeesAll, TextOf("action"), TextOf("account"), TextOf("result"),
                from, to, asked["operators"] == "on", before),
            faults);

        string? TextOf(string name) => asked[name].ToString().Trim() is { Length: > 0 and < 256 } text
            && !text.Contains('\0', StringComparison.Ordinal) ? text : null;

        DateTimeOffset? DayOf(string name)
        {
            if (TextOf(name) is not { } text)
                return null;
            if (DateTimeOffset.TryParseExact(
                text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day))
                return day;
            faults.Add($"The day {Texts.Visible(text)} is none: write it as 2026-01-31.");
            return null;
        }
    }

    // Without the place of the page: another filter begins at its first page.
    private static string Search(HttpContext context) => string.Join('&', context.Request.Query
        .Where(part => part.Key is "realm" or "action" or "account" or "result" or "from" or "to" or "operators"
            && part.Value.ToString().Length > 0)
        .Select(part => $"{part.Key}={Texts.Segment(part.Value.ToString())}"));
}

internal static class AuditRoutes
{
    public static void MapAudit(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/audit", (HttpContext context, AuditScreen screen) => screen.ShowAsync(context));
        screens.MapGet("/audit.csv", (HttpContext context, AuditScreen screen) => screen.CsvAsync(context));
    }
}

/// <param name="Search">The filter as it stands in the address.</param>
internal sealed record AuditModel(
    AuditQuery Query, IReadOnlyList<AuditLine> Lines, bool AreMore, IReadOnlyList<string> Faults, string Search);
