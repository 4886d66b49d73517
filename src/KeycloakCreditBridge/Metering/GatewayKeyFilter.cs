using KeycloakCreditBridge.Intake.Authentication;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Metering;

/// <summary>Admits a caller with one of the configured keys, in `x-api-key` or as bearer token.</summary>
internal sealed class GatewayKeyFilter(IOptions<MeteringOptions> options) : IEndpointFilter
{
    private const string KeyHeader = "x-api-key";
    private const string Bearer = "Bearer ";

    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        Problem(context.HttpContext.Request.Headers) is { } problem
            ? ValueTask.FromResult<object?>(TypedResults.Problem(problem, statusCode: StatusCodes.Status401Unauthorized))
            : next(context);

    private string? Problem(IHeaderDictionary headers)
    {
        if (options.Value.ApiKeys.Count == 0)
            return "No key is configured, so every call is refused: set Metering:ApiKeys.";
        var key = headers[KeyHeader];
        if (key.Count == 0 && headers.Authorization is [{ } authorization]
            && authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
            key = authorization[Bearer.Length..];
        return SharedSecret.Check(key, options.Value.ApiKeys) switch
        {
            AuthenticationOutcome.Valid => null,
            AuthenticationOutcome.Missing => $"The header {KeyHeader} is missing: send the key of Metering:ApiKeys in it.",
            _ => $"The header {KeyHeader} holds no configured key: send one of Metering:ApiKeys.",
        };
    }
}
