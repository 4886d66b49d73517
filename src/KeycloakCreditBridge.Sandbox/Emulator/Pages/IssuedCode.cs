namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>A login that a code, and later a refresh token, stands for.</summary>
/// <param name="Nonce">What its ID token is to hold.</param>
/// <param name="Challenge">What the redemption has to meet (PKCE); null where the login began without.</param>
internal sealed record IssuedCode(
    string UserId, string ClientId, string RedirectUri, string? Nonce, string? Challenge, string SessionId);
