using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>Verifies tokens that a realm signed: its key, an asymmetric algorithm, issuer, audience and lifetime.</summary>
internal sealed class RealmTokens(RealmKeys keys, TimeProvider clock)
{
    private const int MaxTokenLength = 32_768;

    private static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    // None of these can be made with what a realm publishes, which HMAC keyed with a public key could.
    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private readonly JsonWebTokenHandler _handler = new() { MaximumTokenSizeInBytes = MaxTokenLength, MapInboundClaims = false };

    /// <param name="realm">The configured realm that must have signed it.</param>
    /// <param name="token">Compact form, as it stands behind `Bearer `.</param>
    /// <param name="audience">What `aud` must hold; null where the caller knows by other means which client the token is for.</param>
    /// <param name="cancellationToken">Ends the wait for keys.</param>
    /// <exception cref="KeycloakException">The realm's keys are not known: it may pass.</exception>
    public async Task<TokenVerification> VerifyAsync(string realm, string token, string? audience, CancellationToken cancellationToken)
    {
        if (Read(token) is not { } unverified)
            return new TokenVerification(null, "it is no signed JSON Web Token");
        // RFC 7515: what its maker calls critical must be understood, and nothing of the kind is understood here.
        if (unverified.TryGetHeaderValue<object>("crit", out _))
            return new TokenVerification(null, "its header names critical extensions (`crit`), and none is understood here");
        var published = await keys.GetAsync(realm, unverified.Kid, unverified.Issuer, cancellationToken);
        if (!published.Contains(unverified.Kid))
            return new TokenVerification(null, $"it was not signed with a key of realm '{realm}'");
        var signers = published.KeysFor(unverified.Kid, unverified.Alg);
        if (signers.Count == 0)
            return new TokenVerification(null, "its algorithm is not the one that its key is for");
        var result = await _handler.ValidateTokenAsync(unverified, new TokenValidationParameters
        {
            IssuerSigningKeys = signers,
            ValidAlgorithms = Algorithms,
            ValidIssuers = published.Issuers,
            ValidAudience = audience,
            ValidateAudience = audience is not null,
            RequireExpirationTime = true,
            LifetimeValidator = (notBefore, expires, _, _) => IsCurrent(notBefore, expires),
        });
        return result.IsValid ? new TokenVerification(unverified, null) : new TokenVerification(null, Problem(result.Exception, realm));
    }

    /// <summary>The token as it describes itself, which proves nothing; null when it is none.</summary>
    public JsonWebToken? Read(string token)
    {
        // Encrypted ones have five parts, and say nothing that could be read here.
        if (token.Length > MaxTokenLength || token.AsSpan().Count('.') != 2 || !_handler.CanReadToken(token))
            return null;
        try
        {
            var read = _handler.ReadJsonWebToken(token);
            return read.EncodedSignature.Length > 0 ? read : null;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    private bool IsCurrent(DateTime? notBefore, DateTime? expires)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return expires is { } end && now < end + ClockSkew && (notBefore is not { } begin || now >= begin - ClockSkew);
    }

    private static string Problem(Exception exception, string realm) => exception switch
    {
        SecurityTokenInvalidLifetimeException or SecurityTokenNoExpirationException =>
            "it has expired or is not valid yet: check both clocks",
        SecurityTokenInvalidIssuerException =>
            $"its issuer is not realm '{realm}': if Keycloak has another public address, set Keycloak:PublicUrl",
        SecurityTokenInvalidAudienceException => "its audience is another one",
        _ => "its signature is not right",
    };
}

/// <param name="Token">The verified token; null when it proves nothing.</param>
/// <param name="Problem">Why it proves nothing, to follow a colon.</param>
internal sealed record TokenVerification(JsonWebToken? Token, string? Problem);
