using KeycloakCreditBridge.Api.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace KeycloakCreditBridge.Metering;

/// <summary>Lifts the server's own limit on body length; the reader of the body applies the configured one.</summary>
internal sealed class GatewayBodyFilter : IEndpointFilter
{
    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        if (!ContentEncoding.IsNone(context.HttpContext.Request))
            return ValueTask.FromResult<object?>(
                TypedResults.Problem(ContentEncoding.Refusal, statusCode: StatusCodes.Status415UnsupportedMediaType));
        if (context.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        return next(context);
    }
}
