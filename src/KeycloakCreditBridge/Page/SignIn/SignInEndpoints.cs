using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Setup.Operators;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.SignIn;

/// <summary>Sends operators to Keycloak and takes them back (authorization code with PKCE), and ends their sessions.</summary>
internal sealed partial class SignInEndpoints(
    SessionKeeper sessions, PageSessionStore store, SessionCipher cipher, OperatorTokens tokens, PageCookies cookies,
    IOptions<PageOptions> page, IOptions<KeycloakOptions> keycloak, PageMetrics metrics, TimeProvider clock,
    ILogger<SignInEndpoints> logger)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    public IResult Begin(HttpContext context)
    {
        var state = SignInState.New(ReturnAddress.Safe(context.Request.Query["return"]), clock.GetUtcNow());
        cookies.Set(context, cookies.SignIn, state.ToCookie(cipher), Limit);
        return TypedResults.Redirect(QueryHelpers.AddQueryString(Endpoint("auth"), new Dictionary<string, string?>
        {
            ["response_type"] = "code",
            ["response_mode"] = "query",
            ["client_id"] = page.Value.ClientId,
            ["redirect_uri"] = page.Value.AddressOf(PagePaths.SignedIn),
            ["scope"] = "openid",
            ["state"] = state.State,
            ["nonce"] = state.Nonce,
            ["code_challenge"] = state.Challenge,
            ["code_challenge_method"] = "S256",
        }));
    }

    public async Task<IResult> CompleteAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var state = SignInState.FromCookie(cipher, context.Request.Cookies[cookies.SignIn]);
        cookies.Remove(context, cookies.SignIn);
        if (state is null || clock.GetUtcNow() - state.Begun > Limit || !IsSame(state.State, query["state"].ToString()))
            return Refused(context, "The sign-in took too long, or began in another browser.");
        if (query["error"].ToString() is { Length: > 0 } error)
            return Refused(context, $"Keycloak refused the sign-in: {Texts.Visible(error)}.");
        var user = await tokens.RedeemCodeAsync(query["code"].ToString(), state.Verifier, state.Nonce, context.RequestAborted);
        if (user.Problem is { } problem)
        {
            LogRefused(problem);
            return Refused(context, "Keycloak's answer was not accepted; the bridge's log says why.");
        }

        await sessions.BeginAsync(context, user, context.RequestAborted);
        return TypedResults.LocalRedirect($"~{state.Return}");
    }

    /// <summary>Ends the session here, and then Keycloak's.</summary>
    public async Task<IResult> EndAsync(HttpContext context)
    {
        var idToken = await sessions.EndAsync(context, Operator.Of(context));
        var query = new Dictionary<string, string?>
        {
            ["client_id"] = page.Value.ClientId,
            ["post_logout_redirect_uri"] = page.Value.AddressOf(PagePaths.SignedOut),
        };
        if (idToken is { Length: > 0 })
            query["id_token_hint"] = idToken;
        return TypedResults.Redirect(QueryHelpers.AddQueryString(Endpoint("logout"), query));
    }

    public static IResult Ended(HttpContext context) => TroubleModel.Of(
        context, StatusCodes.Status200OK, "You are signed out", "Your session here and in Keycloak has ended.",
        new TroubleLink("/page/sign-in", "Sign in"));

    /// <summary>Keycloak says that a session ended (OpenID Connect Back-Channel Logout). It ends in all replicas at once.</summary>
    public async Task<IResult> EndByKeycloakAsync(HttpContext context)
    {
        var form = context.Request.HasFormContentType ? await context.Request.ReadFormAsync(context.RequestAborted) : FormCollection.Empty;
        if (await tokens.ReadLogoutAsync(form["logout_token"].ToString(), context.RequestAborted) is not { } ended)
            return TypedResults.BadRequest();
        await store.EndOfUserAsync(ended.Subject, ended.Session, context.RequestAborted);
        return TypedResults.Ok();
    }

    private IResult Refused(HttpContext context, string reason)
    {
        metrics.Refused("sign_in");
        return TroubleModel.Of(
            context, StatusCodes.Status400BadRequest, "You are not signed in", reason, new TroubleLink("/page/sign-in", "Sign in again"));
    }

    private string Endpoint(string name) => $"{IssuerFor()}/protocol/openid-connect/{name}";

    private string IssuerFor() =>
        $"{(keycloak.Value.PublicUrl is { Length: > 0 } url ? url : keycloak.Value.Url).TrimEnd('/')}/realms/{Texts.Segment(tokens.Realm)}";

    private static bool IsSame(string expected, string given) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(given));

    [LoggerMessage(EventId = 1304, Level = LogLevel.Warning,
        Message = "An operator could not sign in to the page: {Reason}. Check Page:ClientId and Page:ClientSecret, or run setup keycloak.")]
    private partial void LogRefused(string reason);
}
