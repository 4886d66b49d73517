using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli;

/// <summary>Runs what reads or mends the records. It migrates nothing: a look at the records changes no schema.</summary>
internal static class DatabaseSession
{
    /// <param name="settings">Settings as `--Section:Key=value`.</param>
    /// <param name="sections">Sections that must be right; all of them when none is named.</param>
    /// <param name="work">Returns the exit code.</param>
    /// <exception cref="MigrationException">The schema is not this program's.</exception>
    public static async Task<int> RunAsync(
        string[] settings, IReadOnlyCollection<string> sections, Func<IServiceProvider, CancellationToken, Task<int>> work)
    {
        var builder = Program.Compose(settings);
        builder.Services.AddSingleton(LogTarget.Command);
        await using var app = builder.Build();
        ConfigurationCheck.Run(app.Services, sections);
        using var stop = new StopSignal(() => { });
        if (!await app.Services.GetRequiredService<Migrator>().IsCurrentAsync(stop.Token))
            throw new MigrationException("The schema is not migrated: run `KeycloakCreditBridge migrate` first.");
        return await work(app.Services, stop.Token);
    }
}
