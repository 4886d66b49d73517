using System.Diagnostics;
using KeycloakCreditBridge.Reconciliation;
using Spectre.Console;

namespace KeycloakCreditBridge.Cli.Reconcile;

/// <summary>
/// Shows the progress of a run on standard error: a bar on a terminal, otherwise a line now and then; nothing with --json.
/// </summary>
internal static class ReconcileDisplay
{
    public static async Task<ReconcileOutcome> ShowAsync(
        ReconcileArguments arguments, TextWriter error, Func<IProgress<ReconcileProgress>, Task<ReconcileOutcome>> run)
    {
        if (arguments.Json)
            return await run(new NoProgress());
        if (Console.IsErrorRedirected)
            return await run(new LineProgress(error));
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error) });
        return await console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(context => run(new BarProgress(context)));
    }

    private static string Describe(ReconcileProgress progress)
    {
        var counts = progress.Counts;
        var of = progress.Expected is { } expected ? $" of {expected}" : "";
        var left = progress.Left is { } time ? $", {time:h\\:mm\\:ss} left" : "";
        return $"{progress.Realm}: {counts.Seen}{of} seen, {counts.Missing} missing, {counts.Provisioned} provisioned, "
            + $"{counts.Failed} failed, {progress.PerSecond:0} users/s{left}";
    }

    private sealed class NoProgress : IProgress<ReconcileProgress>
    {
        public void Report(ReconcileProgress value)
        {
        }
    }

    private sealed class LineProgress(TextWriter error) : IProgress<ReconcileProgress>
    {
        private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

        private long? _written;

        public void Report(ReconcileProgress value)
        {
            if (_written is { } last && Stopwatch.GetElapsedTime(last) < Every)
                return;
            _written = Stopwatch.GetTimestamp();
            error.WriteLine(Describe(value));
        }
    }

    private sealed class BarProgress(ProgressContext context) : IProgress<ReconcileProgress>
    {
        private ProgressTask? _task;

        public void Report(ReconcileProgress value)
        {
            _task ??= context.AddTask(value.Realm);
            // Short, so that the bar fits a terminal of 80 columns.
            _task.Description = Markup.Escape($"{value.Realm}: {value.Counts.Seen} seen, {value.Counts.Missing} missing");
            _task.IsIndeterminate = value.Expected is null;
            // Users may be created while it runs; the bar never exceeds its maximum.
            _task.MaxValue = Math.Max(1, Math.Max(value.Expected ?? 0, value.Counts.Seen));
            _task.Value = value.Counts.Seen;
        }
    }
}
