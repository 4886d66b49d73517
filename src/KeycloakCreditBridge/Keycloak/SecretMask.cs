namespace KeycloakCreditBridge.Keycloak;

/// <summary>What Keycloak shows in place of a secret that an account may not see, since 26.8 also a client's to `view-clients`.</summary>
internal static class SecretMask
{
    /// <summary>Whether the text hides a secret, which then is not known.</summary>
    public static bool Covers(string? text) => text is { Length: > 0 } && !text.AsSpan().ContainsAnyExcept('*');
}
