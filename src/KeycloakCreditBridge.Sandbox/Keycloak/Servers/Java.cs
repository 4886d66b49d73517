using System.Globalization;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Servers;

/// <summary>A Java found on this machine.</summary>
/// <param name="Home">Its folder, as in JAVA_HOME.</param>
/// <param name="Version">Its feature release: 17, 21, 25.</param>
internal sealed partial record Java(string Home, int Version)
{
    private static readonly string[] UsualPlaces =
        ["/usr/lib/jvm", "/opt/java", "/opt/homebrew/opt", "/usr/local/opt", "/Library/Java/JavaVirtualMachines"];

    public string Executable => Path.Combine(Home, "bin", "java");

    /// <summary>JAVA_HOME, then the one on PATH, then the newest of the usual places: the first that is at least this version.</summary>
    public static Java? Find(int atLeast) => Candidates().Select(Read).FirstOrDefault(java => java?.Version >= atLeast);

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable("JAVA_HOME") is { Length: > 0 } home)
            yield return home;
        if (Command.Find("java") is { } onPath)
            yield return Path.Combine(Path.GetDirectoryName(RealPath(onPath))!, "..");
        foreach (var folder in UsualPlaces.Where(Directory.Exists).SelectMany(Directory.GetDirectories).OrderByDescending(VersionInName))
        {
            yield return folder;
            yield return Path.Combine(folder, "Contents", "Home");
            yield return Path.Combine(folder, "libexec", "openjdk.jdk", "Contents", "Home");
        }
    }

    private static string RealPath(string file) => File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file;

    private static int VersionInName(string folder) =>
        int.TryParse(Number().Match(Path.GetFileName(folder)).Value, CultureInfo.InvariantCulture, out var version) ? version : 0;

    // Every Java since 9 says its version in this file, which is quicker than starting it.
    private static Java? Read(string home)
    {
        var release = Path.Combine(home, "release");
        if (!File.Exists(release) || !File.Exists(Path.Combine(home, "bin", "java")))
            return null;
        var version = JavaVersion().Match(File.ReadAllText(release)).Groups[1].Value;
        return int.TryParse(version, CultureInfo.InvariantCulture, out var feature) ? new Java(Path.GetFullPath(home), feature) : null;
    }

    [GeneratedRegex(@"\d{2,}")]
    private static partial Regex Number();

    [GeneratedRegex("""JAVA_VERSION="(\d+)""")]
    private static partial Regex JavaVersion();
}
