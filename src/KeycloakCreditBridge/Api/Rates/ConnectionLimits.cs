using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace KeycloakCreditBridge.Api.Rates;

/// <summary>What a connection costs whose sender proves nothing: the server's own buffers are made for few and fast ones.</summary>
internal static class ConnectionLimits
{
    private const int BufferedBytes = 64 * 1024;

    /// <summary>Bounds the connections of a server that has not started yet.</summary>
    public static void Apply(KestrelServerLimits limits, int maxConnections)
    {
        limits.MaxConcurrentConnections = maxConnections;
        // What was sent and not yet read, by HTTP/1.1 and by HTTP/2.
        limits.MaxRequestBufferSize = BufferedBytes;
        limits.Http2.InitialConnectionWindowSize = 2 * BufferedBytes;
        limits.Http2.InitialStreamWindowSize = BufferedBytes;
    }
}
