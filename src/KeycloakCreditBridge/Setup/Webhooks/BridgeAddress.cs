namespace KeycloakCreditBridge.Setup.Webhooks;

/// <summary>Compares the address at which Keycloak is to reach the bridge with those that the bridge listens on.</summary>
internal static class BridgeAddress
{
    private static readonly string[] Loopback = ["localhost", "127.0.0.1", "[::1]"];

    /// <summary>
    /// What plainly does not fit; null when it fits, and when a proxy or a service may stand between, which this machine cannot know.
    /// </summary>
    /// <param name="told">The address that Keycloak was given or is to be given.</param>
    /// <param name="listening">Addresses of the bridge, such as http://+:8080.</param>
    public static AddressProblem? Problem(Uri? told, IReadOnlyList<string> listening)
    {
        List<(string Scheme, string Host, int Port)> own = [.. listening.Select(Parts)];
        // The usual ports are those of proxies and services.
        if (told is null || own.Count == 0 || told.IsDefaultPort)
            return null;
        var where = $"Keycloak is given {told.GetLeftPart(UriPartial.Authority)}, and the bridge listens on {string.Join(", ", listening)}";
        var cure = $"have it listen there (ASPNETCORE_URLS={told.Scheme}://+:{told.Port}), or give Keycloak its own address by "
            + "--webhook-url, unless a proxy or a port mapping stands between";
        if (!own.Exists(address => address.Port == told.Port))
            return new AddressProblem(where, cure);
        if (!told.IsLoopback && own.TrueForAll(address => address.Port != told.Port || Loopback.Contains(address.Host)))
            return new AddressProblem($"{where}, which only this machine can reach", cure);
        return own.Exists(address => address.Port == told.Port && address.Scheme == told.Scheme)
            ? null
            : new AddressProblem($"{where}, by another scheme", cure);
    }

    // Hosts such as + are none that an address may have.
    private static (string Scheme, string Host, int Port) Parts(string address)
    {
        var scheme = address.Split("://")[0];
        var authority = address[(scheme.Length + "://".Length)..].Split('/')[0];
        var colon = authority.LastIndexOf(':');
        return colon > authority.LastIndexOf(']') && int.TryParse(authority[(colon + 1)..], out var port)
            ? (scheme, authority[..colon], port)
            : (scheme, authority, scheme == Uri.UriSchemeHttps ? 443 : 80);
    }
}

/// <param name="Says">What does not fit.</param>
/// <param name="Cure">What to do about it.</param>
internal sealed record AddressProblem(string Says, string Cure);
