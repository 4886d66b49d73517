using System.Runtime.InteropServices;

namespace KeycloakCreditBridge.Operations.Commands;

/// <summary>Turns the first Ctrl-C or SIGTERM into a cancellation; the second ends the process as usual.</summary>
internal sealed class StopSignal : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<PosixSignalRegistration> _registrations = [];

    public StopSignal(Action announce)
    {
        foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM })
        {
            _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                if (_stopping.IsCancellationRequested)
                    return;
                context.Cancel = true;
                announce();
                _stopping.Cancel();
            }));
        }
    }

    public CancellationToken Token => _stopping.Token;

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _stopping.Dispose();
    }
}
