using KeycloakCreditBridge.Hosting.Addresses;

namespace KeycloakCreditBridge.Management;

/// <summary>The address of operators among those that the server listens on.</summary>
internal static class ManagementAddress
{
    private const string Endpoints = "Kestrel:Endpoints";

    /// <summary>Adds it to the others. Kestrel reads its endpoints or else the urls, never both.</summary>
    public static void Add(IConfigurationManager configuration, string url)
    {
        var hasEndpoints = configuration.GetSection(Endpoints).GetChildren().Any();
        configuration.AddInMemoryCollection(hasEndpoints
            ? new Dictionary<string, string?> { [$"{Endpoints}:{ManagementOptions.Section}:Url"] = url }
            : new Dictionary<string, string?>
            {
                [WebHostDefaults.ServerUrlsKey] = string.Join(';', [.. ListenAddresses.Of(configuration), url]),
                // The server would warn that the urls win over them.
                [WebHostDefaults.HttpPortsKey] = "",
                [WebHostDefaults.HttpsPortsKey] = "",
            });
    }

    /// <summary>An address as the server reads it; null when it cannot.</summary>
    public static BindingAddress? Parse(string url)
    {
        try
        {
            return BindingAddress.Parse(url);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
