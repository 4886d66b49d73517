using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Storage.Migrations;

namespace KeycloakCreditBridge.Cli;

/// <summary>Runs a command that reads or changes records. It never migrates: a command that reads must not change the schema.</summary>
internal static class DatabaseSession
{
    /// <param name="host">Builds the program.</param>
    /// <param name="settings">Settings as `--Section:Key=value`.</param>
    /// <param name="sections">Sections that must be valid; all of them when none is named.</param>
    /// <param name="work">Returns the exit code.</param>
    /// <exception cref="MigrationException">The schema is not this program's.</exception>
    public static async Task<int> RunAsync(
        CommandHost host,
        string[] settings,
        IReadOnlyCollection<string> sections,
        Func<IServiceProvider, CancellationToken, Task<int>> work)
    {
        await using var app = host.BuildCommand(settings);
        ConfigurationCheck.Run(app.Services, sections);
        using var stop = new StopSignal(() => { });
        if (!await app.Services.GetRequiredService<Migrator>().IsCurrentAsync(stop.Token))
            throw new MigrationException("The schema is not migrated: run `KeycloakCreditBridge migrate` first.");
        return await work(app.Services, stop.Token);
    }
}
