using System.Net.Sockets;

namespace KeycloakCreditBridge.Keycloak.Connections;

/// <summary>
/// A connection that is cut while it is made can end a request with an error of the socket alone. It becomes an error of the request, like
/// all others of a server that cannot be reached.
/// </summary>
internal sealed class CutConnectionHandler : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (SocketException exception)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, exception.Message, exception);
        }
    }
}
