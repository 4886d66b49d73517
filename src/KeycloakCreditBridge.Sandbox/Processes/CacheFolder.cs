namespace KeycloakCreditBridge.Sandbox.Processes;

/// <summary>The one folder that the sandbox and the tests keep things in: unpacked servers, and the data of running ones.</summary>
internal static class CacheFolder
{
    /// <summary>A folder inside it. Root's is under /var/cache: servers that refuse root must be able to enter it.</summary>
    public static string Of(string name) => Path.Combine(Root(), "keycloak-credit-bridge", name);

    private static string Root() =>
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } named ? named
        : Environment.IsPrivilegedProcess ? "/var/cache"
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
}
