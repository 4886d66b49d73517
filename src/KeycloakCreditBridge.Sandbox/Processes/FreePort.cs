using System.Net;
using System.Net.Sockets;

namespace KeycloakCreditBridge.Sandbox.Processes;

/// <summary>
/// Ports of 127.0.0.1 that are free now. They lie below the range that systems hand out by themselves, so a port that is bound later
/// stays free until then.
/// </summary>
internal static class FreePort
{
    private const int First = 15_000;
    private const int Count = 17_000;

    // Processes side by side have ids close together; each counts through a stretch of its own.
    private static int _last = Environment.ProcessId * 499 % Count;

    public static int Next()
    {
        for (var attempt = 0; attempt < Count; attempt++)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref _last) % Count);
            if (IsFree(port))
                return port;
        }

        throw new InvalidOperationException("127.0.0.1 has no free port.");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
