using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace KeycloakCreditBridge.Tests.Running;

/// <summary>
/// Ends this process within seconds when the process that started it is killed. `dotnet test` starts vstest.console, which starts testhost,
/// which starts this program; when one of them is killed, those below it go on. Servers end with this process.
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
        // The runners below the one that was killed would wait for this process for ever.
        foreach (var runner in Watched.TakeWhile(process => process.IsAlive))
            Kill(runner.Id);
        Kill(Environment.ProcessId);
    }

    private static void Kill(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (ArgumentException)
        {
            // It has ended by itself.
        }
    }

    private static IEnumerable<ProcessIdentity> AncestorsOf(int process)
    {
        for (var next = ProcessIdentity.Read(process)?.Parent; next > 1;)
        {
            if (ProcessIdentity.Read(next.Value) is not { } ancestor)
                yield break;
            yield return ancestor;
            // vstest.console starts a process to discover tests and another to run them; `dotnet test` may be killed in between.
            if (ancestor.CommandLine.Contains("vstest.console", StringComparison.Ordinal) && ancestor.IsOrphan)
                yield return ProcessIdentity.Ended;
            next = Runners.Contains(ancestor.Name) ? ancestor.Parent : null;
        }
    }
}

/// <summary>A process of Linux; ids are reused, start times tell them apart.</summary>
internal sealed record ProcessIdentity(int Id, string Name, int Parent, long Started)
{
    private static readonly string[] Reapers = ["init", "systemd"];

    public static ProcessIdentity Ended { get; } = new(0, "", 0, 0);

    public bool IsAlive => Read(Id)?.Started == Started;

    /// <summary>Whether its parent has ended, so that the system's first process has taken its place.</summary>
    public bool IsOrphan => Read(Parent) is not { } parent || Reapers.Contains(parent.Name) || (Parent == 1 && parent.Name != "dotnet");

    public string CommandLine => ReadFile("cmdline", Id) ?? "";

    /// <summary>The process, or null when it has ended.</summary>
    public static ProcessIdentity? Read(int id)
    {
        if (ReadFile("stat", id) is not { } stat)
            return null;
        // The name stands in brackets and may contain spaces; the fields after it are state, parent, and the start as the 20th.
        var (open, close) = (stat.IndexOf('(', StringComparison.Ordinal), stat.LastIndexOf(')'));
        var fields = stat[(close + 2)..].Split(' ');
        return fields[0] is "Z" ? null : new ProcessIdentity(
            id, stat[(open + 1)..close], int.Parse(fields[1], CultureInfo.InvariantCulture),
            long.Parse(fields[19], CultureInfo.InvariantCulture));
    }

    private static string? ReadFile(string name, int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/{name}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
