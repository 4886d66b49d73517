using KeycloakCreditBridge.Api.Problems;
using Npgsql;

namespace KeycloakCreditBridge.Api.Requests;

/// <summary>The caller's name for a request, so that sending it again does not carry it out twice.</summary>
internal static class IdempotencyKey
{
    public const string Header = "Idempotency-Key";

    private const int Longest = 255;

    /// <summary>The request's key; null when it has none.</summary>
    /// <exception cref="RequestRefusedException">The header is empty, doubled or too long.</exception>
    public static string? Of(HttpRequest request)
    {
        var values = request.Headers[Header];
        if (values.Count == 0)
            return null;
        return values is [{ Length: > 0 and <= Longest } key] && key.All(character => character is >= ' ' and <= '~')
            ? key
            : throw new RequestRefusedException(
                StatusCodes.Status400BadRequest,
                $"{Header} must be one value of 1 to {Longest} printable ASCII characters, such as a UUID.");
    }

    /// <summary>Whether another request under the same key was stored at the same moment.</summary>
    public static bool IsTaken(PostgresException exception) =>
        exception is { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "idempotency_keys_pkey" };

    /// <summary>The refusal of another request under a key.</summary>
    public static RequestRefusedException UsedBefore() =>
        new(StatusCodes.Status422UnprocessableEntity, $"This {Header} was used for another request: give each request its own.");
}
