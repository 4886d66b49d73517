using KeycloakCreditBridge.Hosting.Schedule;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation;

internal sealed class ReconciliationOptionsValidator : IValidateOptions<ReconciliationOptions>
{
    public ValidateOptionsResult Validate(string? name, ReconciliationOptions options)
    {
        List<string> problems = [];
        CheckCron(nameof(options.Cron), options.Cron, "0 0/15 * * * ? for every 15 minutes", problems);
        CheckCron(nameof(options.CompleteCron), options.CompleteCron, "0 35 3 * * ? for 3:35", problems);

        if (!Enum.IsDefined(options.Misfire))
            problems.Add($"Reconciliation:Misfire is {options.Misfire}: choose DoNothing or FireOnce.");
        if (options.WindowUsers is < 10 or > 10_000)
            problems.Add($"Reconciliation:WindowUsers is {options.WindowUsers}: choose 10 to 10000.");
        if (options.WindowsInFlight is < 1 or > 16)
            problems.Add($"Reconciliation:WindowsInFlight is {options.WindowsInFlight}: choose 1 to 16.");
        if (options.ClosingShare is < 0 or > 1)
            problems.Add($"Reconciliation:ClosingShare is {options.ClosingShare}: choose 0 to 1, such as 0.01 for one user in a hundred.");
        if (options.PageSize is < 2 or > 20_000)
            problems.Add($"Reconciliation:PageSize is {options.PageSize}: choose 2 to 20000.");
        if (options.OverlapRows < 1 || options.OverlapRows > options.PageSize / 2)
            problems.Add($"Reconciliation:OverlapRows is {options.OverlapRows}: choose 1 to half of Reconciliation:PageSize.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static void CheckCron(string name, string cron, string example, List<string> problems)
    {
        if (CronText.ProblemWith(cron) is { } reason)
        {
            problems.Add(
                $"Reconciliation:{name} is '{cron}', which is not a schedule: {reason}. " +
                $"Give seconds, minutes, hours, day of month, month and day of week, such as {example}.");
        }
    }
}
