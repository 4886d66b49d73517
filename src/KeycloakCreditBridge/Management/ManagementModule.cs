using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Management;

internal static class ManagementModule
{
    /// <summary>What operators read; nothing else is served at their address.</summary>
    public static readonly string[] Paths = ["/health", "/metrics"];

    public static void AddManagement(this IHostApplicationBuilder builder)
    {
        builder.AddSection<ManagementOptions, ManagementOptionsValidator>(ManagementOptions.Section);
        builder.Services.AddSingleton<DetailAccess>();
    }

    /// <summary>Has the server listen on the address of operators too, once all settings are known.</summary>
    public static void AddManagementAddress(this IHostApplicationBuilder builder)
    {
        if (builder.Configuration[$"{ManagementOptions.Section}:{nameof(ManagementOptions.Url)}"] is { Length: > 0 } url)
            ManagementAddress.Add(builder.Configuration, url);
    }

    public static void UseManagement(this WebApplication app)
    {
        var access = app.Services.GetRequiredService<DetailAccess>();
        app.Use((context, next) =>
        {
            if (!access.IsToManagement(context)
                || Array.Exists(Paths, path => context.Request.Path.StartsWithSegments(path, StringComparison.Ordinal)))
                return next(context);
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
    }

    /// <summary>Answers 404 where the details of the route are not for the caller.</summary>
    public static RouteHandlerBuilder ForOperators(this RouteHandlerBuilder route) => route.AddEndpointFilter((context, next) =>
        context.HttpContext.RequestServices.GetRequiredService<DetailAccess>().IsGranted(context.HttpContext)
            ? next(context)
            : ValueTask.FromResult<object?>(TypedResults.Problem(
                "This is told at Management:Url only or, where that is not set, to this machine as localhost.",
                statusCode: StatusCodes.Status404NotFound)));
}
