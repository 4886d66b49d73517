using System.Security.Cryptography;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Tests.Api.Description;

/// <summary>The tools of a package.json with a lock file, installed once outside the tree.</summary>
internal static class NodeTools
{
    private static readonly SemaphoreSlim OneAtATime = new(1);

    /// <summary>The folder that has them in node_modules. Skips the test where npm is missing.</summary>
    public static async Task<string> FolderAsync(string sources, CancellationToken token)
    {
        Assert.SkipUnless(Command.Find("npm") is not null && Command.Find("node") is not null, "Needs npm: install Node.js 20 or newer.");
        var locked = await File.ReadAllBytesAsync(Path.Combine(sources, "package-lock.json"), token);
        var folder = CacheFolder.Of($"openapi-{Convert.ToHexStringLower(SHA256.HashData(locked))[..16]}");
        await OneAtATime.WaitAsync(token);
        try
        {
            if (!Directory.Exists(folder))
                await InstallAsync(sources, folder, token);
            return folder;
        }
        finally
        {
            OneAtATime.Release();
        }
    }

    // A folder that is there is complete: another process may install at the same moment.
    private static async Task InstallAsync(string sources, string folder, CancellationToken token)
    {
        var draft = $"{folder}.{Guid.NewGuid():n}";
        Directory.CreateDirectory(draft);
        foreach (var file in (string[])["package.json", "package-lock.json"])
            File.Copy(Path.Combine(sources, file), Path.Combine(draft, file));
        await Command.RunAsync(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", draft], token);
        try
        {
            Directory.Move(draft, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            Directory.Delete(draft, recursive: true);
        }
    }
}
