using System.Diagnostics;
using System.Globalization;
using KeycloakCreditBridge.Reconciliation;
using Spectre.Console;

namespace KeycloakCreditBridge.Cli.Reconcile;

/// <summary>
/// Shows the progress of a run on standard error: a bar on a terminal, otherwise a line now and then; nothing with --json.
/// </summary>
internal static class ReconcileDisplay
{
    private const int BarWidth = 30;

    public static async Task<ReconcileOutcome> ShowAsync(
        ReconcileArguments arguments, TextWriter error, Func<IProgress<ReconcileProgress>, Task<ReconcileOutcome>> run)
    {
        if (arguments.Json)
            return await run(new NoProgress());
        if (Console.IsErrorRedirected)
            return await run(new LineProgress(error));
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error) });
        // The library's own estimate takes each page for the pace of all.
        return await console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn { Width = BarWidth }, new PercentageColumn())
            .StartAsync(context => run(new BarProgress(context)));
    }

    /// <summary>A line of progress for a log.</summary>
    internal static string Describe(ReconcileProgress progress)
    {
        var counts = progress.Counts;
        if (counts.Seen == 0)
            return Waiting(progress);
        var of = progress.Expected is { } expected ? $" of {expected}" : "";
        var left = progress.Left is { } time ? $", {Span(time)} left" : "";
        return $"{progress.Realm}: {counts.Seen}{of} seen, {counts.Missing} missing, {counts.Provisioned} provisioned, "
            + $"{counts.Failed} failed, {progress.PerSecond:0} users/s{left}";
    }

    /// <summary>What stands before the bar: short, so that both fit a terminal of 80 columns.</summary>
    internal static string Label(ReconcileProgress progress) => progress switch
    {
        { Counts.Seen: 0 } => Waiting(progress),
        { Left: { } left } => $"{progress.Realm}: {progress.Counts.Missing} missing, {Span(left)} left",
        _ => $"{progress.Realm}: {progress.Counts.Seen} seen, {progress.Counts.Missing} missing",
    };

    // A whole window of users is read before the first is counted, which takes Keycloak a while.
    private static string Waiting(ReconcileProgress progress) =>
        $"{progress.Realm}: reading the first {(progress.Expected is { } expected ? $"of {expected} users" : "users")}";

    private static string Span(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours}:{time:mm\\:ss}");

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
            _task.Description = Markup.Escape(Label(value));
            _task.IsIndeterminate = value.Expected is null;
            // Users may be created while it runs; the bar never exceeds its maximum.
            _task.MaxValue = Math.Max(1, Math.Max(value.Expected ?? 0, value.Counts.Seen));
            _task.Value = value.Counts.Seen;
        }
    }
}
