using System.Diagnostics;

namespace KeycloakCreditBridge.Sandbox.Processes;

/// <summary>Runs a program to its end; an exit code other than 0 throws with the program's output.</summary>
internal static class Command
{
    public static async Task<string> RunAsync(
        IReadOnlyList<string> command, CancellationToken token, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            // The caller's folder may be one that an unprivileged user cannot enter.
            WorkingDirectory = "/",
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        await using var kill = token.Register(() => process.Kill(entireProcessTree: true));
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);
        token.ThrowIfCancellationRequested();
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException(
                $"'{string.Join(' ', command)}' ended with {process.ExitCode}: {(await output + await errors).Trim()}");
    }

    /// <summary>The full path of a program on PATH, or null.</summary>
    public static string? Find(string program) =>
        SearchPath().Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>The folders of PATH, and the system's own, which an unprivileged PATH often lacks.</summary>
    public static IEnumerable<string> SearchPath() =>
        $"{Environment.GetEnvironmentVariable("PATH")}:/usr/local/sbin:/usr/sbin:/sbin"
            .Split(':', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
