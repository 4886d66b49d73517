namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>Which generation of Keycloak the emulator answers like.</summary>
internal enum ServerModel
{
    /// <summary>
    /// 26.0 and 26.1: date-only event filters, newest first, no event ids in answers, created windows ignored, a locked out user is read as
    /// disabled.
    /// </summary>
    V26_0,

    /// <summary>26.2 to 26.5: millisecond filters, event ids and direction; created windows ignored.</summary>
    V26_2,

    /// <summary>26.6 and 26.7: created windows.</summary>
    V26_7,

    /// <summary>
    /// 26.8, by its release notes: client secrets are masked for callers that may only view clients, only a verified address sets
    /// <c>emailVerified</c>, and tokens and events of an impersonated session name the impersonator.
    /// </summary>
    V26_8,
}

/// <summary>How an emulated server is started.</summary>
/// <param name="Model">The generation to behave like.</param>
/// <param name="Clock">The source of event times, token lifetimes and retry delays; the system clock when absent.</param>
/// <param name="SendsWebhooks">Whether the webhook plugin is installed.</param>
internal sealed record EmulatorOptions(
    ServerModel Model = ServerModel.V26_7,
    TimeProvider? Clock = null,
    bool SendsWebhooks = true);
