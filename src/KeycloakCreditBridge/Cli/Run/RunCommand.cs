namespace KeycloakCreditBridge.Cli.Run;

/// <summary>Runs the service until it is told to stop.</summary>
internal static class RunCommand
{
    public static async Task<int> RunAsync(string[] settings)
    {
        await using var app = Program.Build(Program.Compose(settings));
        // The host watches the signals.
        await app.StartAsync(CancellationToken.None);
        await app.WaitForShutdownAsync(CancellationToken.None);
        return ExitCode.Done;
    }
}
