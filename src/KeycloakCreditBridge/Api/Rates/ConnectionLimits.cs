using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace KeycloakCreditBridge.Api.Rates;

/// <summary>
/// Bounds connections, whose senders have proven nothing: their number, what one caller may hold of them, and the server's own buffers,
/// which are made for few and fast ones.
/// </summary>
/// <param name="most">Connections at once.</param>
/// <param name="isProxy">Whether an address connects for many callers.</param>
internal sealed class ConnectionLimits(int most, Func<IPAddress, bool> isProxy)
{
    private const int BufferedBytes = 64 * 1024;

    // One caller alone cannot keep all others out.
    private readonly int _mostOfOne = most / 4;
    private readonly ConcurrentDictionary<string, int> _open = new(StringComparer.Ordinal);

    /// <summary>Bounds the connections of a server that has not started yet.</summary>
    public void Apply(KestrelServerOptions server)
    {
        var limits = server.Limits;
        limits.MaxConcurrentConnections = most;
        // What was sent and not yet read, by HTTP/1.1 and by HTTP/2.
        limits.MaxRequestBufferSize = BufferedBytes;
        limits.Http2.InitialConnectionWindowSize = 2 * BufferedBytes;
        limits.Http2.InitialStreamWindowSize = BufferedBytes;
        server.ConfigureEndpointDefaults(listen => listen.Use(next => connection => ServeAsync(connection, next)));
    }

    private async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        if (address is null || isProxy(address))
        {
            await next(connection);
            return;
        }

        var caller = CallerNetwork.Of(address);
        var open = _open.AddOrUpdate(caller, 1, (_, count) => count + 1);
        try
        {
            if (open <= _mostOfOne)
                await next(connection);
            else
                await connection.DisposeAsync();
        }
        finally
        {
            if (_open.AddOrUpdate(caller, 0, (_, count) => count - 1) == 0)
                _open.TryRemove(new KeyValuePair<string, int>(caller, 0));
        }
    }
}
