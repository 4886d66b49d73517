using System.Net;

namespace KeycloakCreditBridge.Keycloak.Connections;

/// <summary>
/// The proxy that the environment names (HTTPS_PROXY, ALL_PROXY, NO_PROXY), for https alone: what goes through it is a tunnel. A request
/// over http would show it the client's secret and tokens, so those go straight to the server.
/// </summary>
/// <param name="environment">The environment's proxy, as .NET reads it.</param>
/// <param name="exceptions">NO_PROXY, of which .NET itself takes only whole hosts and `.suffix`.</param>
internal sealed class EncryptedOnlyProxy(IWebProxy environment, string? exceptions) : IWebProxy
{
    private readonly IReadOnlyList<string> _exceptions = (exceptions ?? "").Split(
        [',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public ICredentials? Credentials
    {
        get => environment.Credentials;
        set => environment.Credentials = value;
    }

    public static EncryptedOnlyProxy OfEnvironment() => new(
        HttpClient.DefaultProxy, Environment.GetEnvironmentVariable("no_proxy") ?? Environment.GetEnvironmentVariable("NO_PROXY"));

    public Uri? GetProxy(Uri destination) => IsBypassed(destination) ? null : environment.GetProxy(destination);

    public bool IsBypassed(Uri host) =>
        host.Scheme != Uri.UriSchemeHttps || host.IsLoopback || environment.IsBypassed(host)
        || _exceptions.Any(exception => Covers(exception, host));

    /// <summary>The proxy for an address as messages name it, without its password; null where there is none.</summary>
    public string? NameFor(Uri destination) =>
        GetProxy(destination) is { } proxy ? $"{proxy.Scheme}://{proxy.Authority}" : null;

    // As curl and Go read it: `*`, an address, a network such as 10.0.0.0/8, or a domain with all below it, each with or without a port.
    private static bool Covers(string exception, Uri destination)
    {
        if (exception == "*")
            return true;
        if (IPNetwork.TryParse(exception, out var network))
            return IPAddress.TryParse(destination.IdnHost.Trim('[', ']'), out var address) && network.Contains(address);
        if (exception.LastIndexOf(':') is > 0 and var colon && exception.IndexOf(':', StringComparison.Ordinal) == colon)
        {
            if (exception[(colon + 1)..] != $"{destination.Port}")
                return false;
            exception = exception[..colon];
        }

        var domain = exception.TrimStart('*').TrimStart('.');
        return domain.Length > 0
            && (destination.IdnHost.Equals(domain, StringComparison.OrdinalIgnoreCase)
                || destination.IdnHost.EndsWith($".{domain}", StringComparison.OrdinalIgnoreCase));
    }
}
