namespace KeycloakCreditBridge.Api.Requests;

/// <summary>A compressed body could be far longer than it looks, so that every route refuses it.</summary>
internal static class ContentEncoding
{
    public const string Refusal = "Send the body without Content-Encoding.";

    /// <summary>Whether the body is not compressed.</summary>
    public static bool IsNone(HttpRequest request) =>
        request.Headers.ContentEncoding is not { Count: > 0 } encoding || encoding == "identity";
}
