using System.Text.Json;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>What Keycloak says in the body of an error; both parts are null where the body is not Keycloak's.</summary>
internal sealed partial record ServerError(string? Code, string? Description)
{
    private const int MaxLength = 200;

    public bool IsMissingRealm => Code?.StartsWith("Realm ", StringComparison.Ordinal) == true;

    public static ServerError Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new ServerError(
                    Text(document.RootElement, "error") ?? Text(document.RootElement, "errorMessage"),
                    Text(document.RootElement, "error_description"))
                : new ServerError(null, null);
        }
        // Half a surrogate pair is no text.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return new ServerError(null, null);
        }
    }

    /// <summary>The server's own words on one short line, without the secret should it have repeated it.</summary>
    public string Describe(string secret)
    {
        if (Code is null)
            return "without an error of Keycloak's";
        var words = Unprintable().Replace(Description is null ? Code : $"{Code}: {Description}", " ");
        if (secret.Length > 0)
            words = words.Replace(secret, "***", StringComparison.Ordinal);
        return words.Length > MaxLength ? words[..MaxLength] : words;
    }

    private static string? Text(JsonElement error, string name) =>
        error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    [GeneratedRegex(@"[\p{C}\s]+")]
    private static partial Regex Unprintable();
}
