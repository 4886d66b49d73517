using System.Diagnostics;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Tests.Running;

public sealed class ParentWatchTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [StartsPrograms, Fact]
    public async Task A_test_process_ends_within_seconds_when_its_parent_is_killed()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux shows processes as files.");
        string[] hanging =
        [
            "dotnet", typeof(ParentWatchTests).Assembly.Location, "-explicit", "only", "-method", $"*.{nameof(It_hangs)}",
        ];
        var start = new ProcessStartInfo("/bin/sh", ["-c", "\"$@\" >/dev/null 2>&1 & echo $!; wait", "parent", .. hanging])
        {
            RedirectStandardOutput = true,
        };
        using var parent = Process.Start(start)!;
        var child = int.Parse((await parent.StandardOutput.ReadLineAsync(Token))!, System.Globalization.CultureInfo.InvariantCulture);
        var file = CacheFolder.Of($"hangs-{child}");
        await Eventually.TrueAsync(() => File.Exists(file), "the test in the other process runs");
        File.Delete(file);

        parent.Kill();

        await Eventually.TrueAsync(
            () => Task.FromResult(ProcessIdentity.Read(child) is null), "the other process has ended", TimeSpan.FromSeconds(10));
    }

    [StartsPrograms, Fact]
    public async Task A_process_whose_parent_has_ended_is_known_as_an_orphan()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux shows processes as files.");
        using var parent = Process.Start(
            new ProcessStartInfo("/bin/sh", ["-c", "sleep 60 >/dev/null & echo $!"]) { RedirectStandardOutput = true })!;
        var child = int.Parse((await parent.StandardOutput.ReadLineAsync(Token))!, System.Globalization.CultureInfo.InvariantCulture);
        await parent.WaitForExitAsync(Token);
        using var orphan = Process.GetProcessById(child);

        Assert.True(ProcessIdentity.Read(child)!.IsOrphan);
        Assert.False(ProcessIdentity.Read(Environment.ProcessId)!.IsOrphan);
        orphan.Kill();
    }

    [Fact(Explicit = true)]
    public async Task It_hangs()
    {
        var file = CacheFolder.Of($"hangs-{Environment.ProcessId}");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(file, "", Token);
        await Task.Delay(TimeSpan.FromMinutes(2), Token);
    }
}
