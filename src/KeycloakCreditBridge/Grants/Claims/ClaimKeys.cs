using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Grants.Claims;

/// <summary>Makes claims: hashes by a secret key, so that the database reveals no address.</summary>
internal sealed class ClaimKeys
{
    private readonly byte[][] _keys;
    private readonly InboxRules _inboxes;

    /// <param name="key">The current key; empty where no grant is given once for an address.</param>
    /// <param name="previous">Keys of the time before: what was claimed by them stays claimed.</param>
    /// <param name="inboxes">Which addresses share an inbox.</param>
    public ClaimKeys(string key, IEnumerable<string> previous, InboxRules inboxes)
    {
        _keys = key.Length == 0 ? [] : [Encoding.UTF8.GetBytes(key), .. previous.Select(Encoding.UTF8.GetBytes)];
        _inboxes = inboxes;
    }

    /// <summary>Whether there is a key: without one nothing can be claimed.</summary>
    public bool IsSet => _keys.Length > 0;

    /// <summary>The claim of an address; null for <see cref="OncePer.User"/>, and without a key or an address.</summary>
    public Claim? Of(OncePer once, string? address) => once switch
    {
        _ when !IsSet || string.IsNullOrWhiteSpace(address) => null,
        OncePer.Email => Email(address),
        OncePer.Inbox => Inbox(address),
        _ => null,
    };

    /// <summary>A user of an identity provider.</summary>
    /// <param name="realm">Where that provider is one: others may have another one of this alias.</param>
    /// <param name="alias">The provider's alias in Keycloak.</param>
    /// <param name="subject">The user's id at the provider.</param>
    public Claim? Identity(string realm, string alias, string subject) =>
        Of(ClaimKinds.Identity, $"{realm}\0{alias}\0{subject}");

    /// <summary>What stands for a value of another kind; null without a key.</summary>
    public Claim? Of(string kind, string value) =>
        IsSet ? WithPrevious(kind, [.. _keys.Select(key => Hash(key, $"{kind}\0{value}"))]) : null;

    /// <summary>Everything that an address was claimed as, by any key.</summary>
    public IEnumerable<Claim> AllOf(string address) => Of(OncePer.Inbox, address) is { } claim ? [claim, .. claim.Others] : [];

    // Hashed without its kind, as addresses were before there were others.
    private Claim Email(string address) =>
        WithPrevious(ClaimKinds.Email, [.. _keys.Select(key => Hash(key, address.Trim().ToLowerInvariant()))]);

    // An address that has no inbox by the rules stands for itself.
    private Claim Inbox(string address)
    {
        var inbox = Of(ClaimKinds.Inbox, Claims.Inbox.Of(address, _inboxes) ?? address.Trim().ToLowerInvariant())!;
        var email = Email(address);
        return inbox with { Others = [.. inbox.Others, email with { Others = [] }, .. email.Others] };
    }

    private static Claim WithPrevious(string kind, byte[][] hashes) =>
        new(kind, hashes[0]) { Others = [.. hashes.Skip(1).Select(hash => new Claim(kind, hash))] };

    private static byte[] Hash(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));
}
