using System.Buffers.Text;
using System.Security.Cryptography;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>One browser tab on its way from an application to its code.</summary>
internal sealed class LoginSession(EmulatedClient client, Uri redirectUri, string? state, string? nonce = null, string? challenge = null)
{
    public EmulatedClient Client => client;

    public Uri RedirectUri => redirectUri;

    public string? State => state;

    /// <summary>What the ID token is to hold.</summary>
    public string? Nonce => nonce;

    /// <summary>The S256 challenge that the redemption of the code has to meet (PKCE).</summary>
    public string? Challenge => challenge;

    /// <summary>In the cookie of the browser and, as <c>code_id</c>, in every event of this login.</summary>
    public string SessionId { get; } = NewSessionId();

    public string TabId { get; } = Random(8);

    /// <summary>The user as the identity provider describes it, once it has.</summary>
    public BrokeredIdentity? Identity { get; set; }

    /// <summary>The user that was created for the identity and has no REGISTER event yet.</summary>
    public EmulatedUser? NewUser { get; set; }

    public static string NewSessionId() => Random(18);

    private static string Random(int bytes) => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(bytes));
}

/// <summary>A user as an identity provider describes it.</summary>
/// <param name="SessionId">The provider's own session.</param>
internal sealed record BrokeredIdentity(
    string Alias, string UserId, string Username, string? Email, string? FirstName, string? LastName, string SessionId);
