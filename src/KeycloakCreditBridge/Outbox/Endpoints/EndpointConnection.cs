using System.Net;
using System.Net.Sockets;

namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>
/// Connects to an endpoint by an address that is allowed. The name is resolved here and the connection made to what was checked, so that a
/// name server that answers otherwise a moment later changes nothing.
/// </summary>
/// <param name="allowPrivate">Whether addresses of this network are allowed.</param>
/// <param name="resolve">Finds the addresses of a name.</param>
internal sealed class EndpointConnection(bool allowPrivate, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
{
    public static EndpointConnection Of(EndpointOptions options) =>
        new(options.AllowPrivate, (host, cancellationToken) => Dns.GetHostAddressesAsync(host, cancellationToken));

    /// <exception cref="EndpointRefusedException">No address of the name is allowed.</exception>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint.Host;
        var all = IPAddress.TryParse(host, out var literal) ? [literal] : await resolve(host, cancellationToken);
        IPAddress[] allowed = [.. all.Where(address => allowPrivate || PublicAddress.Is(address))];
        if (allowed.Length == 0)
        {
            throw new EndpointRefusedException(
                $"{host} is {string.Join(", ", all.Select(address => address.ToString()))}, which is no public address: set AllowPrivate "
                + "to true if events shall be sent there");
        }

#pragma warning disable CA2000 // The stream disposes of it.
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
#pragma warning restore CA2000
        try
        {
            socket.NoDelay = true;
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>An address that events must not be sent to.</summary>
internal sealed class EndpointRefusedException(string message) : Exception(message);
