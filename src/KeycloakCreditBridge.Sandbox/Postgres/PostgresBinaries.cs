using System.Globalization;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Sandbox.Postgres;

/// <summary>Finds the folder with PostgreSQL's own programs, which most systems keep off PATH.</summary>
internal static partial class PostgresBinaries
{
    private const string HowToInstall =
        "PostgreSQL is not installed (no initdb and postgres on PATH or in the usual places): install it with " +
        "'apt-get install postgresql', 'dnf install postgresql-server' or 'brew install postgresql@17'.";

    // One level of wildcard each; the newest version comes first.
    private static readonly string[] UsualPlaces =
    [
        "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib/postgresql*/bin", "/usr/local/pgsql/bin", "/usr/libexec/postgresql*",
        "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin",
        "/Library/PostgreSQL/*/bin",
    ];

    /// <summary>The folder that holds initdb and postgres; installs them with apt-get when the caller is root.</summary>
    public static async Task<string> FindOrInstallAsync(Action<string>? report, CancellationToken token)
    {
        if (Find() is { } found)
            return found;
        if (!Environment.IsPrivilegedProcess || Command.Find("apt-get") is not { } aptGet)
            throw new InvalidOperationException(HowToInstall);

        report?.Invoke("PostgreSQL is not installed: installing it with apt-get (only its programs; no server of the system is set up).");
        await InstallAsync(aptGet, token);
        return Find() ?? throw new InvalidOperationException(HowToInstall);
    }

    private static string? Find() =>
        Command.SearchPath().Concat(UsualPlaces.SelectMany(Expand))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "postgres")));

    private static IEnumerable<string> Expand(string pattern)
    {
        var parts = pattern.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var wildcard = Array.FindIndex(parts, part => part.Contains('*', StringComparison.Ordinal));
        if (wildcard < 0)
            return [pattern];
        var parent = "/" + string.Join('/', parts[..wildcard]);
        return Directory.Exists(parent)
            ? Directory.GetDirectories(parent, parts[wildcard])
                .OrderByDescending(VersionOf)
                .Select(folder => Path.Combine([folder, .. parts[(wildcard + 1)..]]))
            : [];
    }

    private static double VersionOf(string folder) =>
        double.TryParse(Number().Match(Path.GetFileName(folder)).Value, CultureInfo.InvariantCulture, out var version) ? version : 0;

    // Debian's package creates and starts a cluster unless this setting is there before it is installed.
    private static async Task InstallAsync(string aptGet, CancellationToken token)
    {
        var quiet = new Dictionary<string, string> { ["DEBIAN_FRONTEND"] = "noninteractive" };
        const string settings = "/etc/postgresql-common/createcluster.d";
        var noCluster = Path.Combine(settings, "keycloak-credit-bridge.conf");
        await Command.RunAsync([aptGet, "update", "-q"], token, quiet);
        await Command.RunAsync([aptGet, "install", "-qy", "--no-install-recommends", "postgresql-common"], token, quiet);
        Directory.CreateDirectory(settings);
        await File.WriteAllTextAsync(noCluster, "create_main_cluster = false\n", token);
        try
        {
            await Command.RunAsync([aptGet, "install", "-qy", "--no-install-recommends", "postgresql"], token, quiet);
        }
        finally
        {
            File.Delete(noCluster);
        }
    }

    [GeneratedRegex(@"\d+(\.\d+)?")]
    private static partial Regex Number();
}
