using System.CommandLine;

namespace KeycloakCreditBridge.Cli.Run;

/// <summary>Runs the service until it is told to stop.</summary>
internal static class RunCommand
{
    public static Command Command(CommandHost host)
    {
        var command = new Command(
            "run", "Run the service: webhooks, polling, provisioning, scheduled reconciliation, health and metrics. The default.");
        command.SetAction((parsed, _) => RunAsync(host, parsed));
        return command;
    }

    public static async Task<int> RunAsync(CommandHost host, ParseResult parsed)
    {
        await using var app = host.BuildService(host.Settings(parsed));
        // The host handles the signals.
        await app.StartAsync(CancellationToken.None);
        await app.WaitForShutdownAsync(CancellationToken.None);
        return ExitCode.Done;
    }
}
