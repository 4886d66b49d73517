using KeycloakCreditBridge.Chaos.Plans;
using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Chaos.Proxies;

/// <summary>Makes Keycloak's answers fail on their way to the bridge.</summary>
internal sealed class KeycloakFaults
{
    private static readonly TimeSpan LongestHang = TimeSpan.FromSeconds(20);

    public ArmedFaults Armed { get; } = new();

    public async Task AnswerAsync(HttpContext context, RequestDelegate passOn)
    {
        var fault = Armed.Take(context.Request.Path.Value ?? "");
        switch (fault?.Kind)
        {
            case FaultKind.KeycloakError:
                context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                await context.Response.WriteAsync("""{"error":"unknown_error"}""", context.RequestAborted);
                break;
            case FaultKind.KeycloakThrottle:
                context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
                context.Response.Headers.RetryAfter = "1";
                break;
            case FaultKind.KeycloakHang:
                await Task.Delay(LongestHang, context.RequestAborted);
                context.Abort();
                break;
            case FaultKind.KeycloakTruncated:
                await AnswerBody.TruncateAsync(context, passOn);
                break;
            case FaultKind.KeycloakSlow:
                await Task.Delay(fault.Length, context.RequestAborted);
                await passOn(context);
                break;
            default:
                await passOn(context);
                break;
        }
    }
}
