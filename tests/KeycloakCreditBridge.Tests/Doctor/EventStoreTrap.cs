using System.Net;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Doctor;

/// <summary>Answers questions for stored events as a Keycloak does that has two event stores and chose none.</summary>
internal static class EventStoreTrap
{
    public static Task<KeycloakProxy> StartAsync(Uri keycloak) => KeycloakProxy.StartAsync(keycloak, AnswerAsync);

    private static async Task<bool> AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (!path.EndsWith("/events", StringComparison.Ordinal) && !path.EndsWith("/admin-events", StringComparison.Ordinal))
            return false;
        context.Response.StatusCode = (int)HttpStatusCode.InternalServerError;
        await context.Response.WriteAsync("""{"error":"unknown_error"}""", TestContext.Current.CancellationToken);
        return true;
    }
}
