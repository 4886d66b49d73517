using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli.Migrate;

/// <summary>Brings the database's schema up to date. Needs nothing but the database.</summary>
internal static class MigrateCommand
{
    public static async Task<int> RunAsync(string[] settings, TextWriter output)
    {
        var builder = Program.Compose(settings);
        builder.Services.AddSingleton(LogTarget.Command);
        await using var app = builder.Build();
        ConfigurationCheck.Run(app.Services, StorageOptions.Section);

        using var stop = new StopSignal(() => { });
        var applied = await app.Services.GetRequiredService<Migrator>().MigrateAsync(stop.Token);
        await output.WriteLineAsync(
            applied == 0 ? "The schema is current; nothing was applied." : $"Applied {applied} migrations; the schema is current.");
        return ExitCode.Done;
    }
}
