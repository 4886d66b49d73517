using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Api.Requests;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Metering.Gate;

/// <summary>LiteLLM's generic guardrail, called before each model call. Every decision is answered with 200.</summary>
internal sealed class GuardrailEndpoint(CreditGate gate, IOptions<MeteringOptions> options)
{
    public async Task<IResult> DecideAsync(HttpContext context)
    {
        var limit = options.Value.MaxBodyBytes;
        using var body = await RequestBody.ReadAsync(context.Request, limit, context.RequestAborted);
        if (body is null)
            return Problem(
                StatusCodes.Status413PayloadTooLarge,
                $"The request is longer than {limit} bytes: set exclude_payload_fields in the gateway.");
        if (!TryRead(body.Bytes.Span, out var userId))
            return Problem(
                StatusCodes.Status400BadRequest, "The body is not what LiteLLM's guardrail API sends: JSON with an object request_data.");
        var verdict = await gate.DecideAsync(userId, context.RequestAborted);
        return TypedResults.Json(
            verdict.IsAllowed ? new GuardrailAnswer("NONE") : new GuardrailAnswer("BLOCKED", verdict.Message),
            GuardrailJson.Default.GuardrailAnswer);
    }

    /// <summary>Whether this is a question of the gate, and the user that it is about.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> body, out string? userId)
    {
        var request = RequestIn(body) ?? (LenientJson.ReplaceNonFiniteNumbers(body) is { } strict ? RequestIn(strict) : null);
        userId = request?.RequestData?.UserId;
        return request?.RequestData is not null;
    }

    // The rest of the body, prompts and tools above all, is not read and may be long.
    private static GuardrailRequest? RequestIn(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, GuardrailJson.Default.GuardrailRequest);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static ProblemHttpResult Problem(int status, string message) => TypedResults.Problem(message, statusCode: status);
}

internal sealed record GuardrailRequest([property: JsonPropertyName("request_data")] GuardrailUser? RequestData);

internal sealed record GuardrailUser([property: JsonPropertyName("user_api_key_user_id")] string? UserId);

internal sealed record GuardrailAnswer(
    [property: JsonPropertyName("action")] string Action,
    [property: JsonPropertyName("blocked_reason"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? BlockedReason = null);

[JsonSourceGenerationOptions(MaxDepth = LenientJson.MaxDepth)]
[JsonSerializable(typeof(GuardrailRequest))]
[JsonSerializable(typeof(GuardrailAnswer))]
internal sealed partial class GuardrailJson : JsonSerializerContext;
