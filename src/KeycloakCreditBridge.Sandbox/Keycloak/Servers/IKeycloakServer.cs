namespace KeycloakCreditBridge.Sandbox.Keycloak.Servers;

/// <summary>A running Keycloak, real or emulated, that ends when disposed.</summary>
internal interface IKeycloakServer : IAsyncDisposable
{
    /// <summary>The base address, for example http://127.0.0.1:8080/.</summary>
    Uri Url { get; }

    /// <summary>The administrator of the master realm.</summary>
    string AdminUser { get; }

    string AdminPassword { get; }

    /// <summary>Whether webhooks can be registered (Phase Two's keycloak-events is there).</summary>
    bool SendsWebhooks { get; }

    /// <summary>One line to show: which server this is and where it came from.</summary>
    string Description { get; }
}
