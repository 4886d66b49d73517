namespace KeycloakCreditBridge.Api.Requests;

/// <summary>A compressed body could be far longer than it looks, and is taken nowhere.</summary>
internal static class ContentEncoding
{
    public const string Refusal = "Send the body without Content-Encoding.";

    /// <summary>Whether the body is as it looks.</summary>
    public static bool IsNone(HttpRequest request) => request.Headers.ContentEncoding is not { Count: > 0 } encoding || encoding == "identity";
}
