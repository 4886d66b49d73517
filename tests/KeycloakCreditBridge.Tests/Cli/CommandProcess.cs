using System.Diagnostics;
using System.Text;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Cli;

/// <summary>The bridge's executable as a process of its own.</summary>
internal sealed class CommandProcess : IDisposable
{
    private static readonly TimeSpan EndTimeout = TimeSpan.FromMinutes(5);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    private CommandProcess(Process process)
    {
        _process = process;
        _process.OutputDataReceived += (_, line) => Append(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Append(_error, line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Output => Text(_output);

    public string Error => Text(_error);

    /// <summary>Starts it with settings in its environment, as a container does, and in a folder without settings.</summary>
    public static CommandProcess Start(IEnumerable<KeyValuePair<string, string?>> settings, params IEnumerable<string> arguments) =>
        StartIn(Path.GetTempPath(), settings, arguments);

    /// <summary>The same in a folder with settings.</summary>
    public static CommandProcess StartIn(
        string folder, IEnumerable<KeyValuePair<string, string?>> settings, params IEnumerable<string> arguments)
    {
        TestNeeds.Demand(TestNeeds.Programs);
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "KeycloakCreditBridge.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = folder,
        };
        foreach (var (key, value) in settings)
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        return new CommandProcess(new Process { StartInfo = start });
    }

    /// <summary>Runs it to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(
        IEnumerable<KeyValuePair<string, string?>> settings, params IEnumerable<string> arguments)
    {
        using var process = Start(settings, arguments);
        return (await process.EndAsync(), process.Output, process.Error);
    }

    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(EndTimeout);
        return _process.ExitCode;
    }

    /// <summary>Sends a signal such as TERM.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is null)
            return;
        lock (text)
            text.Append(line).Append('\n');
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
            return text.ToString();
    }
}
