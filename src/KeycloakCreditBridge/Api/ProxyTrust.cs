using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;
using IPNetwork = System.Net.IPNetwork;

namespace KeycloakCreditBridge.Api;

/// <summary>
/// Whose X-Forwarded-For is believed: the configured proxies, or those with private addresses where ASP.NET Core's own switch is on.
/// That switch alone would believe any sender, who then escapes each limit by address.
/// </summary>
internal sealed class ProxyTrust(IOptions<ApiOptions> api) : IPostConfigureOptions<ForwardedHeadersOptions>
{
    private static readonly string[] PrivateNetworks =
        ["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

    /// <summary>Whether headers of proxies are believed at all.</summary>
    public static bool IsOn(IConfiguration configuration, ApiOptions api) => api.KnownProxies.Count > 0 || IsSwitchedOn(configuration);

    /// <summary>Whether ASP.NET Core reads the headers of proxies by itself.</summary>
    public static bool IsSwitchedOn(IConfiguration configuration) => configuration.GetValue("ForwardedHeaders_Enabled", false);

    public void PostConfigure(string? name, ForwardedHeadersOptions options)
    {
        var known = api.Value.KnownProxies;
        options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
        // Of private addresses only the nearest is a proxy for sure: a caller in the same network is none.
        options.ForwardLimit = known.Count > 0 ? null : 1;
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var network in (known.Count > 0 ? known : [.. PrivateNetworks]).Select(NetworkOf).OfType<IPNetwork>())
            options.KnownIPNetworks.Add(network);
    }

    /// <summary>The network that a setting names; an address is a network of one. Null when it is neither.</summary>
    public static IPNetwork? NetworkOf(string text)
    {
        if (IPAddress.TryParse(text, out var address))
            return new IPNetwork(address, address.GetAddressBytes().Length * 8);
        return IPNetwork.TryParse(text, out var network) ? network : null;
    }
}
