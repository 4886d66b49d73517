using KeycloakCreditBridge.Page.Sessions;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http.HttpResults;

namespace KeycloakCreditBridge.Page.Shell;

/// <summary>What the handler of a request hands to its components, which are public and so cannot take it as a parameter.</summary>
internal sealed class View<T>
{
    public T Value { get; set; } = default!;
}

/// <summary>What every screen shows around its own content.</summary>
/// <param name="User">Null before the sign-in.</param>
/// <param name="Path">The path that was asked for, by which the menu knows where it is.</param>
/// <param name="Done">What the request before this one did; null for nothing.</param>
internal sealed record FrameModel(Operator? User, string Path, string? Done, DateTimeOffset Now);

/// <summary>Answers with a screen.</summary>
internal static class Screens
{
    public static IResult Show<TView, TModel>(HttpContext context, TModel model, int status = StatusCodes.Status200OK)
        where TView : IComponent
    {
        context.RequestServices.GetRequiredService<View<TModel>>().Value = model;
        return new RazorComponentResult<TView> { StatusCode = status, PreventStreamingRendering = true };
    }

    /// <summary>Sends the browser to a screen after a change, so that reloading it changes nothing.</summary>
    public static IResult GoTo(string path, string done) =>
        TypedResults.LocalRedirect($"~{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}done={done}");
}
