using System.Diagnostics;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>Prometheus's own checker of metrics and rules, where it is installed.</summary>
internal static class Promtool
{
    public static void Require() =>
        Assert.SkipUnless(Command.Find("promtool") is not null, "Needs promtool: install the package prometheus.");

    /// <summary>Runs it and returns what it complains about: nothing when it exits with 0.</summary>
    public static async Task<string> ComplaintsAsync(string input, params string[] arguments)
    {
        TestNeeds.Demand(TestNeeds.Programs);
        var start = new ProcessStartInfo(Command.Find("promtool")!, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var promtool = Process.Start(start)!;
        await promtool.StandardInput.WriteAsync(input);
        promtool.StandardInput.Close();
        var said = promtool.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var complained = await promtool.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await promtool.WaitForExitAsync(TestContext.Current.CancellationToken);
        return promtool.ExitCode == 0 ? "" : $"{complained}{await said}";
    }
}
