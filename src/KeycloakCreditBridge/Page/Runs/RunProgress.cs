using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Reconciliation.Runs;

namespace KeycloakCreditBridge.Page.Runs;

/// <summary>How a run's progress is written, on the screen and in the stream alike.</summary>
internal static class RunProgress
{
    public static IReadOnlyDictionary<string, string> Of(RunView run) => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["status"] = run.CancelAsked && run.Status == "running" ? "stopping" : run.Status,
        ["seen"] = Texts.Count(run.Seen),
        ["expected"] = run.Expected is { } expected ? Texts.Count(expected) : "unknown",
        ["share"] = Share(run).ToString(System.Globalization.CultureInfo.InvariantCulture),
        ["missing"] = Texts.Count(run.Missing),
        ["provisioned"] = Texts.Count(run.Provisioned),
        ["failed"] = Texts.Count(run.Failed),
        ["not_shown"] = Texts.Count(run.NotShown),
        ["closed"] = Texts.Count(run.Closed),
        ["rate"] = run.PerSecond is { } rate ? $"{Texts.Count(rate)} a second" : "",
        ["left"] = run.SecondsLeft is { } left && run.Status == "running" ? Texts.Span(TimeSpan.FromSeconds(left)) : "",
    };

    /// <summary>How much was read, of 100.</summary>
    private static int Share(RunView run) =>
        run.Status == "done" ? 100 : run.Expected is > 0 and { } expected ? (int)Math.Clamp(100 * run.Seen / expected, 0, 100) : 0;
}
