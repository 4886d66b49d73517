using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Page.Gate;

/// <summary>
/// Stands before every route of the page: finds the session, refuses requests of other sites, and shows failures as a screen. What an
/// operator may do in a realm is asked by each handler.
/// </summary>
internal sealed partial class PageGate(
    SessionKeeper sessions, SchemaGate schema, ChangeLimiter limiter, PageMetrics metrics, TimeProvider clock, ILogger<PageGate> logger)
{
    private const string TryAgain = "Nothing was changed unless the audit log says so. Try again in a moment.";

    private readonly LogPace _pace = new(clock);

    /// <summary>A route for signed-in operators.</summary>
    public async ValueTask<object?> ForOperatorsAsync(EndpointFilterInvocationContext invoked, EndpointFilterDelegate next)
    {
        var context = invoked.HttpContext;
        Prepare(context, null);
        return await GuardedAsync(context, async () =>
        {
            var user = await sessions.FindAsync(context);
            var isRead = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);
            if (!isRead)
                context.Features.Set(await context.Request.ReadFormAsync(context.RequestAborted));
            if (user is null)
                return SignInFirst(context, isRead);
            Prepare(context, user);
            context.Features.Set(user);
            if (user.Realms.Count == 0 && context.GetEndpoint()?.Metadata.GetMetadata<NeedsNoRole>() is null)
            {
                metrics.Refused("role");
                return TroubleModel.Of(
                    context, StatusCodes.Status403Forbidden, "You have no role here",
                    $"{user.Name} is signed in, and needs the role {Operator.Viewer} or credits-admin in realm {user.HomeRealm}. "
                    + "An administrator of Keycloak gives it; then sign out and in again.");
            }

            if (!isRead && Refusal(context, user) is { } refusal)
                return refusal;
            return await next(invoked);
        });
    }

    /// <summary>A route that needs no session.</summary>
    public ValueTask<object?> ForEveryoneAsync(EndpointFilterInvocationContext invoked, EndpointFilterDelegate next)
    {
        Prepare(invoked.HttpContext, null);
        return GuardedAsync(invoked.HttpContext, () => next(invoked));
    }

    private void Prepare(HttpContext context, Operator? user) =>
        context.RequestServices.GetRequiredService<View<FrameModel>>().Value = new FrameModel(
            user, context.Request.Path.Value ?? "", context.Request.Query["done"].ToString(), clock.GetUtcNow());

    private async ValueTask<object?> GuardedAsync(HttpContext context, Func<ValueTask<object?>> next)
    {
        if (!schema.IsOpen)
            return Unavailable(context, "The database is not ready yet.");
        try
        {
            return await next();
        }
        catch (RequestRefusedException refusal)
        {
            if (refusal.Status == StatusCodes.Status403Forbidden)
                metrics.Refused("role");
            return TroubleModel.Of(context, refusal.Status, TitleOf(refusal.Status), refusal.Message);
        }
        catch (NpgsqlException exception)
        {
            if (_pace.IsDue())
                LogDatabase(PrivilegeErrors.Describe(exception));
            return Unavailable(context, "The database does not answer.");
        }
        catch (KeycloakException exception)
        {
            return Unavailable(context, exception.Message);
        }
    }

    private static IResult SignInFirst(HttpContext context, bool isRead)
    {
        var signIn = $"/page/sign-in?return={Uri.EscapeDataString(ReturnAddress.OfForm(context.Request))}";
        // A stream of events, or a part of a screen, must not follow a redirect to another server.
        var isScreen = context.GetEndpoint()?.Metadata.GetMetadata<IsStream>() is null
            && context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.Ordinal);
        if (isRead && isScreen)
            return TypedResults.LocalRedirect($"~{signIn}");
        return TroubleModel.Of(
            context, StatusCodes.Status401Unauthorized, "Your session has ended", "Sign in again; nothing of the form was done.",
            new TroubleLink(signIn, "Sign in"));
    }

    private IResult? Refusal(HttpContext context, Operator user)
    {
        if (IsOfOtherSite(context.Request))
        {
            metrics.Refused("forged");
            return TroubleModel.Of(
                context, StatusCodes.Status400BadRequest, "Another site sent this", "The page takes forms of its own screens only.");
        }

        var given = context.Features.Get<IFormCollection>()![FormToken.Name].ToString();
        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(user.FormToken)))
        {
            metrics.Refused("forged");
            return TroubleModel.Of(
                context, StatusCodes.Status400BadRequest, "This form is of an earlier session",
                "Open the screen again and send the form from there; your text is kept below.",
                new TroubleLink(ReturnAddress.OfForm(context.Request), "Open the screen again"));
        }

        if (context.GetEndpoint()?.Metadata.GetMetadata<ChangesNothing>() is not null || limiter.Admits(user.Subject))
            return null;
        metrics.Refused("rate");
        context.Response.Headers.RetryAfter = "60";
        return TroubleModel.Of(
            context, StatusCodes.Status429TooManyRequests, "Too many changes", "You made 30 changes within a minute: go on in a minute.");
    }

    // Old browsers send no Sec-Fetch-Site; they send Origin.
    private static bool IsOfOtherSite(HttpRequest request)
    {
        if (request.Headers["Sec-Fetch-Site"].ToString() is { Length: > 0 } site)
            return site is not ("same-origin" or "none");
        return !Uri.TryCreate(request.Headers.Origin.ToString(), UriKind.Absolute, out var origin)
            || !string.Equals(origin.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);
    }

    private static IResult Unavailable(HttpContext context, string reason)
    {
        context.Response.Headers.RetryAfter = "5";
        return TroubleModel.Of(
            context, StatusCodes.Status503ServiceUnavailable, "Not now", $"{reason} {TryAgain}",
            new TroubleLink(ReturnAddress.OfForm(context.Request), "Try again"));
    }

    private static string TitleOf(int status) => status switch
    {
        StatusCodes.Status403Forbidden => "You may not do this",
        StatusCodes.Status404NotFound => "Not found",
        StatusCodes.Status409Conflict => "It changed meanwhile",
        _ => "This was not done",
    };

    [LoggerMessage(EventId = 1303, Level = LogLevel.Error,
        Message = "A screen of the operator page was not shown, as the database failed: {Reason}")]
    private partial void LogDatabase(string reason);
}
