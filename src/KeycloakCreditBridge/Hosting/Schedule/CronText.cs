using Quartz;

namespace KeycloakCreditBridge.Hosting.Schedule;

/// <summary>Times of a schedule as Quartz writes them, in UTC.</summary>
internal static class CronText
{
    /// <summary>What is wrong with it; null if nothing is.</summary>
    public static string? ProblemWith(string cron)
    {
        try
        {
            var next = new CronExpression(cron, TimeZoneInfo.Utc).GetNextValidTimeAfter(DateTimeOffset.UnixEpoch.AddYears(60));
            return next is null ? "it never comes" : null;
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException)
        {
            return exception.Message.ReplaceLineEndings(" ").TrimEnd('.');
        }
    }
}
