using System.CommandLine;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;

namespace KeycloakCreditBridge.Cli.Migrate;

/// <summary>Brings the database's schema up to date. Needs nothing but the database.</summary>
internal static class MigrateCommand
{
    public static Command Command(CommandHost host)
    {
        var command = new Command("migrate", "Bring the database's schema up to date and end. Needs PostgreSQL only.");
        command.SetAction((parsed, _) => RunAsync(host, host.Settings(parsed)));
        return command;
    }

    private static async Task<int> RunAsync(CommandHost host, string[] settings)
    {
        await using var app = host.BuildCommand(settings);
        ConfigurationCheck.Run(app.Services, StorageOptions.Section);

        using var stop = new StopSignal(() => { });
        var applied = await app.Services.GetRequiredService<Migrator>().MigrateAsync(stop.Token);
        await Console.Out.WriteLineAsync(
            applied == 0 ? "The schema is current; nothing was applied." : $"Applied {applied} migrations; the schema is current.");
        return ExitCode.Done;
    }
}
