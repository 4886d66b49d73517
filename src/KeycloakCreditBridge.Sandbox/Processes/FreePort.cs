using System.Net;
using System.Net.Sockets;

namespace KeycloakCreditBridge.Sandbox.Processes;

/// <summary>
/// Ports of 127.0.0.1 that nobody listens on at this moment. They lie below those that systems give to whoever asks for any, so one that is
/// bound only later, or again, is hardly taken meanwhile.
/// </summary>
internal static class FreePort
{
    private const int First = 15_000;
    private const int Count = 17_000;

    // Processes that run side by side, whose ids are close together, count through stretches of their own.
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
