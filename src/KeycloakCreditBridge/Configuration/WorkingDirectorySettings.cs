using Microsoft.Extensions.Configuration.Json;

namespace KeycloakCreditBridge.Configuration;

/// <summary>
/// Two appsettings.json count: the one beside the program holds the defaults that are shipped, the one in the folder where it is started
/// wins over it. Environment and command line win over both.
/// </summary>
internal static class WorkingDirectorySettings
{
    private const string FileName = "appsettings.json";

    public static void AddWorkingDirectorySettings(this IHostApplicationBuilder builder)
    {
        var folder = Directory.GetCurrentDirectory();
        if (Path.TrimEndingDirectorySeparator(folder) == Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory))
            return;
        var sources = builder.Configuration.Sources;
        var shipped = sources.OfType<JsonConfigurationSource>().LastOrDefault();
        var file = new JsonConfigurationSource { Path = Path.Combine(folder, FileName), Optional = true };
        file.ResolveFileProvider();
        sources.Insert(shipped is null ? 0 : sources.IndexOf(shipped) + 1, file);
    }
}
