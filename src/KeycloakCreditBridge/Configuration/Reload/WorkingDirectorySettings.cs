using Microsoft.Extensions.Configuration.Json;

namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>
/// Two appsettings.json count: the one beside the program holds the defaults that are shipped, the one in the folder where it is started
/// wins over it. Environment and command line win over both.
/// </summary>
internal static class WorkingDirectorySettings
{
    private const string FileName = "appsettings.json";

    public static void AddWorkingDirectorySettings(this IHostApplicationBuilder builder)
    {
        var sources = builder.Configuration.Sources;
        var folder = Directory.GetCurrentDirectory();
        var shipped = sources.OfType<JsonConfigurationSource>().LastOrDefault();
        if (Path.TrimEndingDirectorySeparator(folder) != Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory))
            sources.Insert(
                shipped is null ? 0 : sources.IndexOf(shipped) + 1,
                new SettingsFileSource(Path.Combine(folder, FileName), isOptional: true));
        // The framework's own would use a change without a check, and forget all settings of a file that is half written.
        for (var index = 0; index < sources.Count; index++)
            if (sources[index] is JsonConfigurationSource { Path: { } path } file)
                sources[index] = new SettingsFileSource(
                    file.FileProvider?.GetFileInfo(path).PhysicalPath ?? Path.Combine(AppContext.BaseDirectory, path), file.Optional);
    }
}
