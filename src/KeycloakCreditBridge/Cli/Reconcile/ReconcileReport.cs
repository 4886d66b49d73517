using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Reconciliation;

namespace KeycloakCreditBridge.Cli.Reconcile;

/// <summary>Prints how a realm's run ended: the result on standard output, problems on standard error.</summary>
internal sealed class ReconcileReport(ReconcileArguments arguments, TextWriter output, TextWriter error)
{
    public void Write(ReconcileOutcome outcome)
    {
        output.WriteLine(arguments.Json ? Json(outcome) : Text(outcome));
        foreach (var problem in outcome.Problems)
            error.WriteLine($"{outcome.Realm}: {problem}");
        if (outcome.Counts.Failed > outcome.Problems.Count && outcome.Problems.Count == ReconcileOutcome.MaxProblems)
            error.WriteLine($"{outcome.Realm}: {outcome.Counts.Failed - outcome.Problems.Count} more users failed.");
        if (outcome.LeftOut > 0)
            error.WriteLine(
                $"{outcome.Realm}: {outcome.LeftOut} users have no account, because the accounts of their ids belong to other users. "
                + "If the realm was renamed, run `KeycloakCreditBridge realm rename OLD NEW`.");
        if (outcome.Reason is { } reason)
            error.WriteLine($"{outcome.Realm}: {Verdict(outcome.Status)}: {reason}");
        if (outcome.Status == ReconcileStatus.Stopped && outcome.RunId is not null)
            error.WriteLine(
                $"{outcome.Realm}: the same {arguments.Command} command within a day resumes after {outcome.Counts.Seen} users.");
    }

    private string Text(ReconcileOutcome outcome)
    {
        var (seen, missing, provisioned, failed, notShown, closed) = outcome.Counts;
        var by = outcome.Mode is { } mode and not (ReconcileMode.Users or ReconcileMode.Auto) ? $" by {mode.Text()}" : "";
        var dry = arguments.DryRun ? " (dry run, nothing was written)" : "";
        var seconds = outcome.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        return $"{outcome.Realm}: {Verdict(outcome.Status)}{by}{dry}: "
            + $"{seen} seen, {missing} missing, {provisioned} provisioned, {notShown} not shown, {closed} closed, {failed} failed, "
            + $"{outcome.LeftOut} left out, {seconds} s";
    }

    private string Json(ReconcileOutcome outcome)
    {
        var counts = outcome.Counts;
        return JsonSerializer.Serialize(
            new ReconcileResult(
                outcome.Realm, Verdict(outcome.Status), outcome.Mode is { } mode ? mode.Text() : null, arguments.DryRun, outcome.RunId,
                counts.Seen, counts.Missing, counts.Provisioned, counts.NotShown, counts.Closed, counts.Failed, outcome.LeftOut,
                Math.Round(outcome.Elapsed.TotalSeconds, 3), outcome.Reason, outcome.Problems),
            ReconcileJson.Default.ReconcileResult);
    }

    private static string Verdict(ReconcileStatus status) => status switch
    {
        ReconcileStatus.Done => "done",
        ReconcileStatus.Stopped => "stopped",
        ReconcileStatus.Cancelled => "cancelled",
        ReconcileStatus.AlreadyRunning => "already running",
        _ => "failed",
    };
}

/// <summary>A line of `--json`: one per realm.</summary>
/// <param name="Status">`done`, `failed`, `stopped`, `cancelled` or `already running`.</param>
/// <param name="Mode">How the realm was read.</param>
/// <param name="Run">The row in `reconcile_runs`.</param>
/// <param name="LeftOut">Users without an account, because the account of their id belongs to another user.</param>
/// <param name="Reason">Why it did not finish.</param>
/// <param name="Problems">Problems of single users.</param>
internal sealed record ReconcileResult(
    string Realm,
    string Status,
    string? Mode,
    bool DryRun,
    long? Run,
    long Seen,
    long Missing,
    long Provisioned,
    long NotShown,
    long Closed,
    long Failed,
    long LeftOut,
    double Seconds,
    string? Reason,
    IReadOnlyList<string> Problems);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ReconcileResult))]
internal sealed partial class ReconcileJson : JsonSerializerContext;
