using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Page.Sessions;

namespace KeycloakCreditBridge.Page.SignIn;

/// <summary>A sign-in on its way to Keycloak and back. The browser keeps it, encrypted, so that any replica can go on with it.</summary>
/// <param name="State">What Keycloak must send back.</param>
/// <param name="Nonce">What the ID token must hold.</param>
/// <param name="Verifier">Proves to Keycloak that who redeems the code began the sign-in (PKCE).</param>
internal sealed record SignInState(string State, string Nonce, string Verifier, string Return, DateTimeOffset Begun)
{
    private const char Separator = '\n';

    public static SignInState New(string returnAddress, DateTimeOffset now) =>
        new(SessionCipher.NewText(), SessionCipher.NewText(), SessionCipher.NewText(), returnAddress, now);

    /// <summary>What the authorization request names, by S256.</summary>
    public string Challenge => Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier)));

    public string ToCookie(SessionCipher cipher) => Base64Url.EncodeToString(
        cipher.Encrypt(string.Join(Separator, State, Nonce, Verifier, Begun.UtcTicks, Return)));

    /// <summary>Null for a cookie that is not the page's.</summary>
    public static SignInState? FromCookie(SessionCipher cipher, string? cookie)
    {
        if (cookie is not { Length: > 0 and < 4_000 } || !Base64Url.IsValid(cookie))
            return null;
        return cipher.Decrypt(Base64Url.DecodeFromChars(cookie))?.Split(Separator)
            is [var state, var nonce, var verifier, var ticks, var to]
            && long.TryParse(ticks, out var begun)
            ? new SignInState(state, nonce, verifier, to, new DateTimeOffset(begun, TimeSpan.Zero))
            : null;
    }
}
