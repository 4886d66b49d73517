using KeycloakCreditBridge.Api.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace KeycloakCreditBridge.Metering;

/// <summary>Lets bodies be as long as is configured, above the server's own limit too. Whoever reads them stops there.</summary>
internal sealed class GatewayBodyFilter : IEndpointFilter
{
    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        if (!ContentEncoding.IsNone(context.HttpContext.Request))
            return ValueTask.FromResult<object?>(TypedResults.Problem(ContentEncoding.Refusal, statusCode: StatusCodes.Status415UnsupportedMediaType));
        if (context.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        return next(context);
    }
}
