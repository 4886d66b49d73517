using KeycloakCreditBridge.Sandbox.Emulator.Pages;

namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>Maps addresses to handlers that return an answer or refuse.</summary>
internal sealed class Routes(IEndpointRouteBuilder endpoints)
{
    public void Map(string method, string pattern, Func<HttpContext, Task<Answer>> handler) =>
        endpoints.MapMethods(pattern, [method], context => AnswerAsync(context, handler));

    public void Map(string method, string pattern, Func<HttpContext, Answer> handler) =>
        Map(method, pattern, context => Task.FromResult(handler(context)));

    private static async Task AnswerAsync(HttpContext context, Func<HttpContext, Task<Answer>> handler)
    {
        Answer answer;
        try
        {
            answer = await handler(context);
        }
        catch (RefusalException refusal)
        {
            answer = refusal.Answer;
        }
        catch (PageException refusal)
        {
            answer = PageHtml.Error(refusal.Message);
        }

        await answer.WriteAsync(context);
    }
}

/// <summary>What handlers read from a request.</summary>
internal static class Requests
{
    public static string Route(this HttpContext context, string name) => (string)context.Request.RouteValues[name]!;

    public static string? Address(this HttpContext context) => context.Connection.RemoteIpAddress?.MapToIPv4().ToString();
}
