using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Servers;

/// <summary>A Keycloak that can be started on this machine.</summary>
/// <param name="Version">For example 26.7.3.</param>
/// <param name="Source">The archive of the distribution, or the folder of an unpacked server, which is never written to.</param>
/// <param name="Plugin">The jar of Phase Two's keycloak-events to put in, or null to run without webhooks.</param>
/// <param name="Java">What to run it with.</param>
/// <param name="Database">What it is built for: Keycloak's own `dev-file`, or `postgres`, whose address the server is then given.</param>
/// <param name="Features">Preview features to switch on, separated by commas.</param>
internal sealed partial record KeycloakDistribution(
    Version Version, string Source, string? Plugin, Java Java, string Database = KeycloakDistribution.OwnDatabase, string Features = "")
{
    public const string OwnDatabase = "dev-file";
    public const string PluginFiles = "keycloak-events-*.jar";

    private const int OldestJava = 17;
    private const int OldestJavaOfPlugin = 21;

    // The plugin's releases follow Keycloak's: one that is built for 26.6 does not load in 26.0.
    private static readonly Version OldestForPlugin = new(26, 6);

    /// <summary>
    /// What KEYCLOAK_HOME (an unpacked server) and KEYCLOAK_DISTRIBUTIONS (a folder with keycloak-*.tar.* and keycloak-events-*.jar) name,
    /// the newest first; empty when neither is set or no Java is found.
    /// </summary>
    public static IReadOnlyList<KeycloakDistribution> FindAll() =>
        Java.Find(OldestJava) is { } java ? [.. InHome(java).Concat(InFolder(java))] : [];

    private static IEnumerable<KeycloakDistribution> InHome(Java java)
    {
        if (Environment.GetEnvironmentVariable("KEYCLOAK_HOME") is not { Length: > 0 } home)
            return [];
        var said = Path.Combine(home, "version.txt");
        var version = VersionIn().Match(File.Exists(said) ? File.ReadAllText(said) : home);
        if (!version.Success || !File.Exists(Path.Combine(home, "bin", "kc.sh")))
            throw new InvalidOperationException($"KEYCLOAK_HOME is '{home}', which is not the folder of an unpacked Keycloak.");
        return [WithPlugin(new(Version.Parse(version.Value), Path.GetFullPath(home), null, java), Path.Combine(home, "providers"))];
    }

    private static IEnumerable<KeycloakDistribution> InFolder(Java java)
    {
        if (Environment.GetEnvironmentVariable("KEYCLOAK_DISTRIBUTIONS") is not { Length: > 0 } folder)
            return [];
        return Directory.GetFiles(folder, "keycloak-*.tar.*")
            .Select(archive => (archive, version: VersionIn().Match(Path.GetFileName(archive))))
            .Where(found => found.version.Success)
            .Select(found => WithPlugin(new(Version.Parse(found.version.Value), found.archive, null, java), folder))
            .OrderByDescending(distribution => distribution.Version);
    }

    private static KeycloakDistribution WithPlugin(KeycloakDistribution distribution, string folder)
    {
        var plugin = Directory.Exists(folder) ? Directory.GetFiles(folder, PluginFiles).Order().LastOrDefault() : null;
        return plugin is not null && distribution.Version >= OldestForPlugin && Java.Find(OldestJavaOfPlugin) is { } java
            ? distribution with { Plugin = plugin, Java = java }
            : distribution;
    }

    [GeneratedRegex(@"\d+\.\d+\.\d+")]
    private static partial Regex VersionIn();
}
