using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Setup.Operators;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Sessions;

/// <summary>
/// Encrypts with a key that comes from <see cref="PageOptions.KeysSecret"/>, so that all replicas read what one of them wrote and no key
/// is stored anywhere.
/// </summary>
internal sealed class SessionCipher : IDisposable
{
    private const int NonceLength = 12;
    private const int TagLength = 16;

    private readonly AesGcm _cipher;

    public SessionCipher(IOptions<PageOptions> options)
    {
        var secret = Encoding.UTF8.GetBytes(options.Value.KeysSecret);
        // A session of another realm or client is none of this page.
        var scope = Encoding.UTF8.GetBytes($"page sessions of {options.Value.Realm}/{options.Value.ClientId}");
        _cipher = new AesGcm(HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 32, info: scope), TagLength);
    }

    /// <summary>What stands in the database for a cookie.</summary>
    public static byte[] HashOf(string cookie) => SHA256.HashData(Encoding.UTF8.GetBytes(cookie));

    /// <summary>An unguessable text of 256 bits.</summary>
    public static string NewText() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public byte[] Encrypt(string text)
    {
        var plain = Encoding.UTF8.GetBytes(text);
        var sealedText = new byte[NonceLength + plain.Length + TagLength];
        RandomNumberGenerator.Fill(sealedText.AsSpan(0, NonceLength));
        _cipher.Encrypt(
            sealedText.AsSpan(0, NonceLength), plain, sealedText.AsSpan(NonceLength, plain.Length), sealedText.AsSpan(^TagLength..));
        return sealedText;
    }

    /// <summary>The text; null when another key encrypted it or it was changed.</summary>
    public string? Decrypt(ReadOnlySpan<byte> sealedText)
    {
        if (sealedText.Length < NonceLength + TagLength)
            return null;
        var plain = new byte[sealedText.Length - NonceLength - TagLength];
        try
        {
            _cipher.Decrypt(sealedText[..NonceLength], sealedText[NonceLength..^TagLength], sealedText[^TagLength..], plain);
            return Encoding.UTF8.GetString(plain);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    public void Dispose() => _cipher.Dispose();
}
