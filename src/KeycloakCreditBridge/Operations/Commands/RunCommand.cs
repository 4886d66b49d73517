namespace KeycloakCreditBridge.Operations.Commands;

/// <summary>Runs the service until it is told to stop.</summary>
internal static class RunCommand
{
    public static async Task<int> RunAsync(string[] settings, CancellationToken cancellationToken)
    {
        await using var app = Program.Build(Program.Compose(settings));
        await app.StartAsync(cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
        return ExitCode.Done;
    }
}
