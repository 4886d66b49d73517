using KeycloakCreditBridge.Chaos.Proxies;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Chaos.World;

/// <summary>One bridge process after another at one address, with a proxy before it and one between it and PostgreSQL.</summary>
internal sealed class Replica : IAsyncDisposable
{
    private const int ShownLines = 40;

    // Service managers wait half as long; this machine may have other work.
    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(30);

    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly IReadOnlyList<string> _program;
    private readonly List<LogLine> _log = [];
    private readonly Lock _reading = new();
    private BridgeProcess? _process;
    private long _read;

    /// <param name="number">0 or 1.</param>
    /// <param name="postgresPort">PostgreSQL's port.</param>
    /// <param name="settings">The settings that it has for the port at which it reaches PostgreSQL.</param>
    /// <param name="program">The program in place of the one that was built with the rig; empty for that one.</param>
    public Replica(
        int number, int postgresPort, Func<int, IReadOnlyDictionary<string, string>> settings, IReadOnlyList<string> program)
    {
        _program = program;
        Number = number;
        Url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        Front = new TcpProxy(Url.Port);
        Database = new TcpProxy(postgresPort, CommitFaults);
        _settings = settings(Database.Port);
    }

    public int Number { get; }

    /// <summary>Where it listens.</summary>
    public Uri Url { get; }

    /// <summary>Where its callers reach it.</summary>
    public Uri FrontUrl => new($"http://127.0.0.1:{Front.Port}/");

    public TcpProxy Front { get; }

    public TcpProxy Database { get; }

    public ArmedFaults CommitFaults { get; } = new();

    /// <summary>One fault of the process at a time.</summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>How often it ended without being told to.</summary>
    public List<string> Ends { get; } = [];

    public IReadOnlyList<LogLine> Log
    {
        get
        {
            lock (_reading)
                return [.. _log];
        }
    }

    public void Launch()
    {
        _read = 0;
        _process = BridgeProcess.Launch(Url, _settings, _program);
    }

    public Task KillAsync() => EndAsync(process => process.KillAsync());

    public Task TerminateAsync() => EndAsync(async process =>
    {
        var asked = DateTimeOffset.UtcNow;
        if (!await process.TerminateAsync(LongestEnd))
        {
            Ends.Add(
                $"Replica {Number} did not end within {LongestEnd.TotalSeconds:0} s of SIGTERM at {asked:HH:mm:ss.fff}:\n"
                + LastLines(process));
            await process.KillAsync();
        }
    });

    public Task SuspendAsync() => _process!.SuspendAsync();

    public Task ResumeAsync() => _process!.ResumeAsync();

    /// <summary>Starts it again when it has ended by itself, as an orchestrator does.</summary>
    public async Task ReviveAsync()
    {
        if (!await Turn.WaitAsync(TimeSpan.Zero))
            return;
        try
        {
            if (_process is { HasExited: true } ended)
            {
                Ends.Add($"Replica {Number} ended by itself at {DateTimeOffset.UtcNow:HH:mm:ss}:\n{LastLines(ended)}");
                await EndAsync(_ => Task.CompletedTask);
                Launch();
            }
        }
        finally
        {
            Turn.Release();
        }
    }

    /// <summary>Reads the lines that its log has had since the last time.</summary>
    public void ReadLog()
    {
        lock (_reading)
        {
            if (_process is null || !File.Exists(_process.LogFile))
                return;
            using var file = new FileStream(_process.LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Position = _read;
            using var reader = new StreamReader(file);
            var text = reader.ReadToEnd();
            // The last line may not be there in full.
            var whole = text.LastIndexOf('\n') + 1;
            _read += System.Text.Encoding.UTF8.GetByteCount(text.AsSpan(0, whole));
            _log.AddRange(text[..whole].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(LogLine.Parse).OfType<LogLine>());
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await EndAsync(process => process.KillAsync());
        await Front.DisposeAsync();
        await Database.DisposeAsync();
        Turn.Dispose();
    }

    private static string LastLines(BridgeProcess process) => string.Join('\n', process.Log.Split('\n').TakeLast(ShownLines));

    private async Task EndAsync(Func<BridgeProcess, Task> end)
    {
        await end(_process!);
        ReadLog();
        await _process!.DisposeAsync();
        lock (_reading)
            _process = null;
    }
}
