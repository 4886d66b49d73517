using System.Buffers.Text;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;

namespace KeycloakCreditBridge.Api.Tokens;

/// <summary>
/// Bearer tokens of the configured realms. A refusal is a problem document: 401, 403, or 503 while the realm's keys are unknown.
/// </summary>
internal sealed class RealmTokenHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    UrlEncoder encoder,
    RealmTokens tokens,
    VerifiedTokens known,
    IOptions<KeycloakOptions> keycloak,
    IOptions<ApiOptions> api,
    TimeProvider clock) : AuthenticationHandler<AuthenticationSchemeOptions>(options, WithoutLog, encoder)
{
    public const string SchemeName = "RealmToken";

    private const string Prefix = "Bearer ";
    private const string RoleClaim = "role";

    // The framework would write a line for each refused token, which any caller can send at any rate.
    private static readonly ILoggerFactory WithoutLog = NullLoggerFactory.Instance;

    private bool _keysUnknown;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        // The framework calls this for every request. Tokens of webhooks are checked elsewhere.
        if (Context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is null)
            return AuthenticateResult.NoResult();
        if (Request.Headers.Authorization is not [{ Length: > 0 } header])
            return Request.Headers.Authorization.Count > 1
                ? AuthenticateResult.Fail("there are several Authorization headers")
                : AuthenticateResult.NoResult();
        if (!header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            return AuthenticateResult.Fail("the Authorization header is not a token in the Bearer scheme");
        try
        {
            return await VerifyAsync(header[Prefix.Length..].Trim());
        }
        catch (KeycloakException exception)
        {
            _keysUnknown = true;
            return AuthenticateResult.Fail(exception);
        }
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        var result = await HandleAuthenticateOnceSafeAsync();
        if (_keysUnknown)
        {
            Response.Headers.RetryAfter = "5";
            await ProblemAsync(StatusCodes.Status503ServiceUnavailable, "The realm's keys cannot be read from Keycloak now: try again.");
            return;
        }

        var isMissing = result.Failure is null;
        Response.Headers.WWWAuthenticate = isMissing ? "Bearer realm=\"credits\"" : "Bearer realm=\"credits\", error=\"invalid_token\"";
        await ProblemAsync(
            StatusCodes.Status401Unauthorized,
            isMissing
                ? "The request has no token: send an access token of Keycloak as Authorization: Bearer."
                : $"The token is refused: {result.Failure!.Message}.");
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        var required = Context.GetEndpoint()?.Metadata.GetOrderedMetadata<IAuthorizeData>() ?? [];
        var roles = required.LastOrDefault(data => data.Roles is not null)?.Roles;
        return ProblemAsync(StatusCodes.Status403Forbidden, TokenRequirement.MissingRole(roles ?? "", api.Value.Audience));
    }

    private async Task<AuthenticateResult> VerifyAsync(string token)
    {
        if (known.Find(token) is { } before)
            return Accept(before);
        if (tokens.Read(token) is not { } unverified)
            return AuthenticateResult.Fail("it is no signed JSON Web Token");
        if (RealmOf(unverified) is not { } realm)
            return AuthenticateResult.Fail("its issuer is none of the configured realms");
        var verdict = await tokens.VerifyAsync(realm, token, api.Value.Audience, Context.RequestAborted);
        if (verdict.Token is not { } verified)
            return AuthenticateResult.Fail(verdict.Problem!);
        try
        {
            return AcceptVerified(realm, token, verified);
        }
        catch (InvalidOperationException)
        {
            // The parser lets half a surrogate pair pass, and the reader of the text does not.
            return AuthenticateResult.Fail("it holds text that is not Unicode");
        }
    }

    private AuthenticateResult AcceptVerified(string realm, string token, JsonWebToken verified)
    {
        using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(verified.EncodedPayload));
        // ID tokens are signed with the same keys, and may name the same audience.
        if (Caller.Text(payload.RootElement, "typ") != "Bearer")
            return AuthenticateResult.Fail("it is no access token");
        // Such a token is good only with a proof of the key, and this endpoint checks none.
        if (payload.RootElement.TryGetProperty("cnf", out _))
            return AuthenticateResult.Fail("it is bound to a key (`cnf`): request one that is not");
        var caller = Caller.From(realm, payload.RootElement, api.Value.Audience, clock.GetUtcNow());
        if (caller.Subject.Length == 0 || UserIds.ProblemWith(caller.Subject) is not null)
            return AuthenticateResult.Fail("it names no user in `sub`: give its client the scope basic");
        var now = new VerifiedCaller(caller, PrincipalOf(caller));
        known.Remember(token, now, verified.ValidTo);
        return Accept(now);
    }

    private AuthenticateResult Accept(VerifiedCaller caller)
    {
        Context.Features.Set(caller.Caller);
        return AuthenticateResult.Success(new AuthenticationTicket(caller.Principal, SchemeName));
    }

    // The token is unverified here. The keys of the realm found this way verify it afterwards.
    private string? RealmOf(JsonWebToken unverified)
    {
        var issuer = unverified.Issuer ?? "";
        var name = Uri.UnescapeDataString(issuer[(issuer.LastIndexOf('/') + 1)..]);
        return keycloak.Value.Realms.Find(realm => realm.Name == name)?.Name;
    }

    private static ClaimsPrincipal PrincipalOf(Caller caller)
    {
        List<Claim> claims = [new(ClaimTypes.NameIdentifier, caller.Key)];
        if (caller.IsAdmin)
            claims.Add(new Claim(RoleClaim, CallerRoles.Admin));
        if (caller.IsService)
            claims.Add(new Claim(RoleClaim, CallerRoles.Service));
        if (caller.IsViewer)
            claims.Add(new Claim(RoleClaim, CallerRoles.Viewer));
        return new ClaimsPrincipal(new ClaimsIdentity(claims, SchemeName, ClaimTypes.NameIdentifier, RoleClaim));
    }

    private Task ProblemAsync(int status, string detail) => TypedResults.Problem(detail, statusCode: status).ExecuteAsync(Context);
}
