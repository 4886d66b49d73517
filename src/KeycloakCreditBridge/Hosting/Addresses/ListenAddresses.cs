namespace KeycloakCreditBridge.Hosting.Addresses;

/// <summary>Where the bridge listens. ASPNETCORE_URLS, ASPNETCORE_HTTP_PORTS and `Kestrel:Endpoints` choose other addresses.</summary>
internal static class ListenAddresses
{
    /// <summary>
    /// All addresses, because Keycloak calls from another machine or container, and a port that Keycloak does not use: as a sidecar both
    /// share one network.
    /// </summary>
    public const string Default = "http://+:8085";

    private static readonly string[] AnyAddress = ["+", "*", "0.0.0.0", "[::]"];

    /// <summary>Gives the service its default address unless a setting names another.</summary>
    public static void UseListenAddresses(this WebApplication app)
    {
        if (Configured(app.Configuration).Count == 0)
            app.Urls.Add(Default);
    }

    /// <summary>The addresses of a bridge with this configuration, such as http://+:8085; never empty.</summary>
    public static IReadOnlyList<string> Of(IConfiguration configuration) =>
        Configured(configuration) is { Count: > 0 } configured ? configured : [Default];

    /// <summary>The address under which this machine reaches what listens at <paramref name="address"/>.</summary>
    public static string Local(string address) =>
        AnyAddress.Aggregate(address, (text, any) => text.Replace($"://{any}", "://127.0.0.1", StringComparison.Ordinal)).TrimEnd('/');

    // In the order of precedence of ASP.NET Core.
    private static IReadOnlyList<string> Configured(IConfiguration configuration)
    {
        var sections = configuration.GetSection("Kestrel:Endpoints").GetChildren();
        var endpoints = sections.Select(endpoint => endpoint["Url"]).OfType<string>().ToList();
        if (endpoints.Count > 0)
            return endpoints;
        var urls = List(configuration["Urls"]);
        return urls.Length > 0
            ? urls
            : [
                .. List(configuration["HTTP_PORTS"]).Select(port => $"http://+:{port}"),
                .. List(configuration["HTTPS_PORTS"]).Select(port => $"https://+:{port}"),
            ];
    }

    private static string[] List(string? setting) =>
        setting?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}
