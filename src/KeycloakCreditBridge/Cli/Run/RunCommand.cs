using System.CommandLine;
using System.Net.Sockets;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Hosting.Addresses;
using Microsoft.AspNetCore.Connections;

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
        var gate = app.Services.GetRequiredService<SchemaGate>();
        try
        {
            // The host handles the signals.
            await app.StartAsync(CancellationToken.None);
            await app.WaitForShutdownAsync(CancellationToken.None);
        }
        catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // The gate or a signal may end the process before all of it has started.
        }
        catch (Exception exception) when (IsOfAddress(exception))
        {
            throw new ConfigurationException(
                [$"The bridge cannot listen on {string.Join(", ", ListenAddresses.Of(app.Configuration))}: "
                    + $"{exception.Message.TrimEnd('.')}. Choose another address with Urls, or end the program that listens there."]);
        }

        return EndOf(gate);
    }

    private static int EndOf(SchemaGate gate) => gate.Refusal is { } refusal ? ExitCode.Of(refusal) : ExitCode.Done;

    private static bool IsOfAddress(Exception exception) => exception
        is IOException { InnerException: AddressInUseException }
        or SocketException
        {
            SocketErrorCode: SocketError.AccessDenied or SocketError.AddressNotAvailable or SocketError.AddressAlreadyInUse,
        };
}
