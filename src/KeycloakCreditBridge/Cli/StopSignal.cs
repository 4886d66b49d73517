using System.Diagnostics;
using System.Runtime.InteropServices;

namespace KeycloakCreditBridge.Cli;

/// <summary>Turns the first Ctrl-C or SIGTERM into a cancellation; a later one ends the process as usual.</summary>
internal sealed class StopSignal : IDisposable
{
    // Some callers signal both the process and its group: within this time a second signal is the same request.
    private static readonly TimeSpan RepeatWindow = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Action _announce;
    private long _first;

    public StopSignal(Action announce)
    {
        _announce = announce;
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, Receive));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Receive));
    }

    public CancellationToken Token => _stopping.Token;

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _stopping.Dispose();
    }

    private void Receive(PosixSignalContext context)
    {
        var first = Interlocked.CompareExchange(ref _first, Stopwatch.GetTimestamp(), 0);
        context.Cancel = first == 0 || Stopwatch.GetElapsedTime(first) < RepeatWindow;
        if (first != 0)
            return;
        _announce();
        _stopping.Cancel();
    }
}
