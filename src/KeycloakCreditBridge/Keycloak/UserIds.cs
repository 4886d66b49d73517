using KeycloakCreditBridge.Configuration.Logs;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>What can be said of a user's id, which is opaque text.</summary>
internal static class UserIds
{
    private const int MaxLength = 255;
    private const string TransientPrefix = "lightweight-";

    /// <summary>Why this cannot be the id of a stored user, or null when it can.</summary>
    public static string? ProblemWith(string id) => id switch
    {
        { Length: > MaxLength } => $"is {id.Length} characters long, and Keycloak's ids have at most {MaxLength}",
        _ when VisibleText.LeavesItsLine(id) => "contains a control character, or a mark that ends or turns a line",
        _ => null,
    };

    /// <summary>Transient users of an identity provider exist only in their session.</summary>
    public static bool IsTransient(string id) => id.StartsWith(TransientPrefix, StringComparison.Ordinal);
}
