using System.Net;
using KeycloakCreditBridge.Sandbox.Proxies;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Doctor;

/// <summary>Answers questions for stored events as a Keycloak does that has two event stores and chose none.</summary>
internal static class EventStoreTrap
{
    public static Task<HttpProxy> StartAsync(Uri keycloak) =>
        HttpProxy.StartAsync(keycloak, AnswerAsync, TestContext.Current.CancellationToken);

    private static async Task AnswerAsync(HttpContext context, RequestDelegate passOn)
    {
        var path = context.Request.Path.Value!;
        if (!path.EndsWith("/events", StringComparison.Ordinal) && !path.EndsWith("/admin-events", StringComparison.Ordinal))
        {
            await passOn(context);
            return;
        }

        context.Response.StatusCode = (int)HttpStatusCode.InternalServerError;
        await context.Response.WriteAsync("""{"error":"unknown_error"}""", TestContext.Current.CancellationToken);
    }
}
