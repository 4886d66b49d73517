using System.Diagnostics;
using System.Globalization;

namespace KeycloakCreditBridge.Sandbox.Processes;

/// <summary>
/// A server that cannot outlive this process: a small shell stands between them, passes signals on, and kills the server when its
/// standard input ends, which happens however this process ends. The server writes to a log file and has no terminal of its own, so
/// Ctrl-C reaches this process alone, which can then end its servers in order.
/// </summary>
internal sealed class GuardedProcess : IAsyncDisposable
{
    // The guard reads signal names from descriptor 3. It is ended before its shell, so it can never signal a number that was reused.
    private const string GuardScript = """
        trap '' INT QUIT HUP
        exec 3<&0 </dev/null >>"$1" 2>&1
        shift
        "$@" 3<&- &
        server=$!
        { while read -r signal; do kill -"$signal" $server; done <&3; kill -KILL $server; } &
        guard=$!
        exec 3<&-
        wait $server
        status=$?
        kill -KILL $guard
        exit $status
        """;

    private readonly Process _shell;
    private readonly string _log;

    private GuardedProcess(Process shell, string log) => (_shell, _log) = (shell, log);

    public bool HasExited => _shell.HasExited;

    /// <summary>The server's process id, for a server of this user on Linux. It is the first child of its shell.</summary>
    public int ServerId =>
        int.Parse(File.ReadAllText($"/proc/{_shell.Id}/task/{_shell.Id}/children").Split(' ')[0], CultureInfo.InvariantCulture);

    /// <summary>Whether a signal has suspended the server.</summary>
    public bool IsStopped => File.ReadLines($"/proc/{ServerId}/status").Contains("State:\tT (stopped)");

    /// <param name="command">The program and its arguments; it has to stay in the foreground.</param>
    /// <param name="log">The file that takes its output, appended.</param>
    /// <param name="runAs">What to put before the command to run all of it as another user; empty for this one.</param>
    /// <param name="environment">Variables added to this process's own.</param>
    public static GuardedProcess Start(
        IEnumerable<string> command, string log, IReadOnlyList<string> runAs, IReadOnlyDictionary<string, string> environment)
    {
        string[] session = Command.Find("setsid") is { } setsid ? [setsid] : [];
        string[] whole = [.. session, .. runAs, "/bin/sh", "-c", GuardScript, "guard", log, .. command];
        var start = new ProcessStartInfo(whole[0], whole.Skip(1)) { RedirectStandardInput = true, WorkingDirectory = "/" };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return new GuardedProcess(Process.Start(start)!, log);
    }

    /// <summary>Sends a signal (TERM, INT, ...) and waits for the end; false if the process still runs after the timeout.</summary>
    public async Task<bool> EndAsync(string signal, TimeSpan timeout)
    {
        await SignalAsync(signal);
        return await ExitsWithinAsync(timeout);
    }

    /// <summary>Sends a signal (STOP, CONT, ...) to the server, if it is still there.</summary>
    public async Task SignalAsync(string signal)
    {
        if (HasExited)
            return;
        try
        {
            await _shell.StandardInput.WriteLineAsync(signal);
            await _shell.StandardInput.FlushAsync();
        }
        catch (IOException)
        {
            // The guard has ended, so the server has ended by itself.
        }
    }

    /// <summary>The last lines of the log, for messages.</summary>
    public string LastLines(int count = 15) =>
        File.Exists(_log) ? string.Join('\n', File.ReadLines(_log).TakeLast(count)) : "(no output)";

    public async ValueTask DisposeAsync()
    {
        await EndAsync("KILL", TimeSpan.Zero);
        if (!await ExitsWithinAsync(TimeSpan.FromSeconds(10)))
            _shell.Kill(entireProcessTree: true);
        _shell.Dispose();
    }

    private async Task<bool> ExitsWithinAsync(TimeSpan timeout)
    {
        using var deadline = new CancellationTokenSource(timeout);
        try
        {
            await _shell.WaitForExitAsync(deadline.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
