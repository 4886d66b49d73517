using System.Globalization;
using System.Runtime.CompilerServices;

namespace KeycloakCreditBridge.Tests.Running;

/// <summary>
/// Ends this process within seconds when the process that started it is killed. `dotnet test` starts vstest.console, which starts testhost,
/// which starts this program; when one of them is killed the others may go on for minutes. Servers end with this process.
/// </summary>
internal static class ParentWatch
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // Parents of these names belong to the run; the shell above them may end while the run goes on.
    private static readonly string[] Runners = ["dotnet", "testhost", "vstest.console"];

    /// <summary>The parent, and the test runners above it.</summary>
    public static IReadOnlyList<ProcessIdentity> Watched { get; private set; } = [];

    // Only Linux shows processes as files.
    [ModuleInitializer]
    internal static void Start()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Watched = [.. AncestorsOf(Environment.ProcessId)];
        new Thread(Watch) { IsBackground = true, Name = nameof(ParentWatch) }.Start();
    }

    private static void Watch()
    {
        while (Watched.All(process => process.IsAlive))
            Thread.Sleep(Interval);
        using var self = System.Diagnostics.Process.GetCurrentProcess();
        self.Kill();
    }

    private static IEnumerable<ProcessIdentity> AncestorsOf(int process)
    {
        for (var next = ProcessIdentity.Read(process)?.Parent; next > 1;)
        {
            if (ProcessIdentity.Read(next.Value) is not { } ancestor)
                yield break;
            yield return ancestor;
            next = Runners.Contains(ancestor.Name) ? ancestor.Parent : null;
        }
    }
}

/// <summary>A process of Linux; ids are reused, start times tell them apart.</summary>
internal sealed record ProcessIdentity(int Id, string Name, int Parent, long Started)
{
    public bool IsAlive => Read(Id)?.Started == Started;

    /// <summary>The process, or null when it has ended.</summary>
    public static ProcessIdentity? Read(int id)
    {
        try
        {
            // The name stands in brackets and may contain spaces; the fields after it are state, parent, and the start as the 20th.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            var (open, close) = (stat.IndexOf('(', StringComparison.Ordinal), stat.LastIndexOf(')'));
            var fields = stat[(close + 2)..].Split(' ');
            return fields[0] is "Z" ? null : new ProcessIdentity(
                id, stat[(open + 1)..close], int.Parse(fields[1], CultureInfo.InvariantCulture),
                long.Parse(fields[19], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }
}
