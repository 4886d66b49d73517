using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>How Keycloak's users are compared with the known ones.</summary>
internal sealed class ReconciliationOptions
{
    public const string Section = "Reconciliation";

    /// <summary>Whether this replica reconciles by schedule; commands work all the same.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>When each realm is reconciled, in UTC: seconds, minutes, hours, day of month, month, day of week.</summary>
    public string Cron { get; set; } = "0 0/15 * * * ?";

    /// <summary>What becomes of a time that passed while no replica ran.</summary>
    public MisfirePolicy Misfire { get; set; } = MisfirePolicy.DoNothing;

    /// <summary>How many users a page of the listing has, 2 to 20,000. Keycloak sorts the realm for each: few big ones cost least.</summary>
    public int PageSize { get; set; } = 1_000;

    /// <summary>How many users of a page are read again with the next, by which a shift is noticed. At most half a page.</summary>
    public int OverlapRows { get; set; } = 50;
}

/// <summary>What becomes of a scheduled time that passed while no replica ran.</summary>
internal enum MisfirePolicy
{
    /// <summary>Wait for the next time.</summary>
    DoNothing,

    /// <summary>Reconcile once as soon as a replica runs.</summary>
    FireOnce,
}

internal sealed class ReconciliationOptionsValidator : IValidateOptions<ReconciliationOptions>
{
    public ValidateOptionsResult Validate(string? name, ReconciliationOptions options)
    {
        List<string> problems = [];
        if (CronProblem(options.Cron) is { } reason)
        {
            problems.Add(
                $"Reconciliation:Cron is '{options.Cron}', which is no schedule: {reason}. " +
                "Give seconds, minutes, hours, day of month, month and day of week, such as 0 0/15 * * * ? for every 15 minutes.");
        }

        if (!Enum.IsDefined(options.Misfire))
            problems.Add($"Reconciliation:Misfire is {options.Misfire}: choose DoNothing or FireOnce.");
        if (options.PageSize is < 2 or > 20_000)
            problems.Add($"Reconciliation:PageSize is {options.PageSize}: choose 2 to 20000.");
        if (options.OverlapRows < 1 || options.OverlapRows > options.PageSize / 2)
            problems.Add($"Reconciliation:OverlapRows is {options.OverlapRows}: choose 1 to half of Reconciliation:PageSize.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static string? CronProblem(string cron)
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
