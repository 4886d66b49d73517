using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Servers;

/// <summary>
/// A distribution that is unpacked and built once; servers share it and only read it. A build for Keycloak's own database includes a
/// database with the master realm, which halves the start of a server.
/// </summary>
internal static class KeycloakInstallation
{
    // Part of the folder's name: raise it when the build changes, so that older folders are not used.
    private const string BuildVersion = "1";

    /// <summary>
    /// The installation's folder, made first if it is not there. Several processes may ask at once: one makes it, the others wait.
    /// </summary>
    public static async Task<string> PrepareAsync(
        KeycloakDistribution distribution, string cache, Action<string>? report, CancellationToken token)
    {
        var installation = Path.Combine(cache, NameOf(distribution));
        if (Directory.Exists(installation))
            return installation;

        Directory.CreateDirectory(cache);
        await using var held = await LockAsync(installation + ".lock", token);
        if (Directory.Exists(installation))
            return installation;

        report?.Invoke($"Preparing Keycloak {distribution.Version} in {installation} (once, about a minute).");
        var unfinished = installation + ".unfinished";
        if (Directory.Exists(unfinished))
            Directory.Delete(unfinished, recursive: true);
        await UnpackAsync(distribution, unfinished, token);
        await BuildAsync(distribution, unfinished, token);
        if (distribution.Database == KeycloakDistribution.OwnDatabase)
            await using (var first = await KeycloakProcess.StartAsync(distribution.Java, unfinished, token))
                await first.StopAsync();
        Directory.Move(unfinished, installation);
        return installation;
    }

    // An unpacked server is known by what stands in it, so that another jar in its providers makes another installation.
    private static string NameOf(KeycloakDistribution distribution)
    {
        var plugin = distribution.Plugin is null ? "" : "+" + Path.GetFileNameWithoutExtension(distribution.Plugin);
        var providers = Path.Combine(distribution.Source, "providers");
        var content = Directory.Exists(providers)
            ? Directory.GetFiles(providers).Select(file => $"{file} {new FileInfo(file).Length}")
            : [new FileInfo(distribution.Source).Length.ToString("d", null)];
        var variant = distribution is { Database: KeycloakDistribution.OwnDatabase, Features: "" }
            ? ""
            : $"\n{distribution.Database}\n{distribution.Features}";
        var digest = SHA256.HashData(
            Encoding.UTF8.GetBytes($"{BuildVersion}\n{distribution.Source}\n{string.Join('\n', content.Order())}{variant}"));
        return $"keycloak-{distribution.Version}{plugin}-{Convert.ToHexStringLower(digest)[..8]}";
    }

    private static async Task<FileStream> LockAsync(string path, CancellationToken token)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), token);
            }
        }
    }

    private static async Task UnpackAsync(KeycloakDistribution distribution, string folder, CancellationToken token)
    {
        if (Directory.Exists(distribution.Source))
        {
            await Command.RunAsync(["cp", "-R", distribution.Source, folder], token);
            await Command.RunAsync(["rm", "-rf", Path.Combine(folder, "data")], token);
        }
        else
        {
            Directory.CreateDirectory(folder);
            await Command.RunAsync(["tar", "-xf", distribution.Source, "-C", folder, "--strip-components=1"], token);
        }
        foreach (var found in Directory.GetFiles(Path.Combine(folder, "providers"), KeycloakDistribution.PluginFiles))
            File.Delete(found);
        if (distribution.Plugin is { } plugin)
            File.Copy(plugin, Path.Combine(folder, "providers", Path.GetFileName(plugin)));
    }

    private static async Task BuildAsync(KeycloakDistribution distribution, string folder, CancellationToken token)
    {
        // With the plugin there are two event stores, and Keycloak stores nothing until one is chosen.
        string[] eventStore = distribution.Plugin is null ? [] : ["--spi-events-store--provider=jpa"];
        string[] features = distribution.Features.Length == 0 ? [] : [$"--features={distribution.Features}"];
        await Command.RunAsync(
            [
                Path.Combine(folder, "bin", "kc.sh"), "build", $"--db={distribution.Database}", "--health-enabled=true", .. eventStore,
                .. features,
            ],
            token, new Dictionary<string, string> { ["JAVA_HOME"] = distribution.Java.Home });
    }
}
