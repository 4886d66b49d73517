namespace KeycloakCreditBridge.Setup;

/// <summary>What setup is to achieve.</summary>
/// <param name="Retention">How long events are kept at least.</param>
/// <param name="BridgeUrl">The address at which Keycloak reaches the bridge; null when it is not known.</param>
/// <param name="Webhooks">Whether a webhook is wanted where the server can have one.</param>
/// <param name="PollInterval">How soon polling alone finds a new user; null when the bridge does not poll.</param>
internal sealed record SetupOptions(TimeSpan Retention, Uri? BridgeUrl, bool Webhooks, TimeSpan? PollInterval)
{
    /// <summary>Where a bridge with this configuration listens, such as http://+:8080; empty when it is not known.</summary>
    public IReadOnlyList<string> Listening { get; init; } = [];
}
