using System.Globalization;
using System.Security.Cryptography;

namespace KeycloakCreditBridge.Sandbox.Processes;

/// <summary>
/// A folder for one running server, held by a lock that ends with this process. Claiming one first ends the servers of
/// processes that have ended, and removes their folders.
/// </summary>
internal sealed class InstanceFolder : IDisposable
{
    private readonly FileStream _lock;

    private InstanceFolder(string path)
    {
        _lock = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        Path = path;
        Directory.CreateDirectory(path);
    }

    public string Path { get; }

    public static InstanceFolder Claim(string parent, string name)
    {
        Directory.CreateDirectory(parent);
        RemoveAbandoned(parent, name);
        var prefix = System.IO.Path.Combine(System.IO.Path.GetFullPath(parent), name);
        // Another process that clears up may hold a new lock for a moment: one more try.
        return TryClaim(NewName(prefix)) ?? new InstanceFolder(NewName(prefix));
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
            File.Delete(Path + ".lock");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Something still writes into it: the next claim removes it.
        }
        finally
        {
            _lock.Dispose();
        }
    }

    private static string NewName(string prefix) => $"{prefix}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";

    private static void RemoveAbandoned(string parent, string name)
    {
        foreach (var file in Directory.GetFiles(parent, $"{name}-*.lock"))
        {
            using var abandoned = TryClaim(System.IO.Path.ChangeExtension(file, null));
            if (abandoned is not null)
                KillProcessesOf(abandoned.Path);
        }
    }

    private static InstanceFolder? TryClaim(string path)
    {
        try
        {
            return new InstanceFolder(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // Only Linux shows the command lines of processes as files; elsewhere the guard of each server has to suffice.
    private static void KillProcessesOf(string path)
    {
        if (!Directory.Exists("/proc"))
            return;
        foreach (var process in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(System.IO.Path.GetFileName(process), CultureInfo.InvariantCulture, out var id)
                && CommandLine(process).Contains(path, StringComparison.Ordinal))
                Kill(id);
        }
    }

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(System.IO.Path.Combine(process, "cmdline"));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static void Kill(int id)
    {
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(id);
            process.Kill();
            process.WaitForExit(TimeSpan.FromSeconds(5));
        }
        catch (Exception exception) when (
            exception is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It ended by itself, or it belongs to another user.
        }
    }
}
