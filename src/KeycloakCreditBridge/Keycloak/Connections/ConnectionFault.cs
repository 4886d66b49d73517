using System.Security.Authentication;

namespace KeycloakCreditBridge.Keycloak.Connections;

/// <summary>Says why Keycloak cannot be reached, with the cure.</summary>
internal static class ConnectionFault
{
    /// <param name="url">Keycloak's address.</param>
    /// <param name="exception">What became of the request.</param>
    public static string Describe(string url, HttpRequestException exception)
    {
        var reason = FirstLine(exception.GetBaseException().Message);
        if (exception.HttpRequestError == HttpRequestError.SecureConnectionError)
            return $"Keycloak at {url} {CertificateFault(reason, exception)}";
        if (Uri.TryCreate(url, UriKind.Absolute, out var address) && EncryptedOnlyProxy.OfEnvironment().NameFor(address) is { } proxy)
        {
            // The text of a failed tunnel repeats the proxy's address with its password.
            var said = exception.HttpRequestError == HttpRequestError.ProxyTunnelError ? Refusal(exception) : reason;
            return $"Keycloak cannot be reached at {url} through the proxy {proxy} ({said}): correct the variable HTTPS_PROXY, have the " +
                $"proxy allow {address.Authority}, or add {address.Host} to NO_PROXY.";
        }

        return $"Keycloak cannot be reached at {url} ({reason}): check Keycloak:Url, the network and whether Keycloak runs.";
    }

    private static string CertificateFault(string reason, HttpRequestException exception)
    {
        if (!IsCertificate(reason, exception))
            return $"speaks no TLS that this machine understands ({reason}): check that Keycloak:Url names its https port.";
        if (reason.Contains("NameMismatch", StringComparison.Ordinal))
            return $"shows a certificate of another host name ({reason}): write Keycloak:Url with a name that the certificate holds.";
        return reason.Contains("NotTimeValid", StringComparison.Ordinal)
            ? $"shows a certificate that has expired or is not valid yet ({reason}): renew it, and check this machine's clock."
            : $"shows a certificate that no CA known here has signed ({reason}): set the variable SSL_CERT_FILE to a PEM file with the " +
                "certificate of that CA, or add it to the CAs of this machine.";
    }

    private static bool IsCertificate(string reason, HttpRequestException exception) =>
        exception.GetBaseException() is AuthenticationException && reason.Contains("certificate", StringComparison.OrdinalIgnoreCase);

    private static string Refusal(HttpRequestException exception) =>
        exception.StatusCode is { } status ? $"it answered {(int)status}" : "it opens no tunnel";

    private static string FirstLine(string text) => text.Split('\n', '\r')[0];
}
