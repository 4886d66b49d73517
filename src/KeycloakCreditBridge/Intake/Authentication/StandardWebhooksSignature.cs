using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Intake.Authentication;

/// <summary>
/// Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`, keyed with the base64-decoded secret. Signatures of versions other than v1
/// are ignored.
/// </summary>
internal static class StandardWebhooksSignature
{
    public const string Header = "webhook-signature";

    private const string IdHeader = "webhook-id";
    private const string TimestampHeader = "webhook-timestamp";
    private const string Version = "v1,";
    private const string SecretPrefix = "whsec_";
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    private const int MostSignatures = 16;

    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    /// <param name="now">Signatures that are more than 5 minutes older or newer are expired.</param>
    public static AuthenticationOutcome Check(
        IHeaderDictionary headers, ReadOnlySpan<byte> body, IEnumerable<string> secrets, DateTimeOffset now)
    {
        foreach (var name in (ReadOnlySpan<string>)[IdHeader, TimestampHeader, Header])
        {
            if (headers[name].Count != 1)
                return headers[name].Count == 0 ? AuthenticationOutcome.Missing : AuthenticationOutcome.Doubled;
            if (string.IsNullOrEmpty(headers[name][0]))
                return AuthenticationOutcome.Empty;
        }

        var (id, timestamp) = (headers[IdHeader].ToString(), headers[TimestampHeader].ToString());
        // A dot in the id would let the signed text be divided in another way.
        if (id.Contains('.', StringComparison.Ordinal)
            || !long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
        {
            return AuthenticationOutcome.Malformed;
        }

        if (Math.Abs(now.ToUnixTimeSeconds() - seconds) > Tolerance.TotalSeconds)
            return AuthenticationOutcome.Expired;
        var signatures = SignaturesIn(headers[Header].ToString());
        return signatures.Count == 0 ? AuthenticationOutcome.Malformed : Compare(signatures, $"{id}.{timestamp}.", body, secrets);
    }

    /// <summary>
    /// The key that a secret stands for, or null when it is not base64 of 24 to 64 bytes. Senders also make secrets without padding, and
    /// such whose last letter holds more bits than the key needs.
    /// </summary>
    public static byte[]? KeyOf(string secret)
    {
        var text = secret.StartsWith(SecretPrefix, StringComparison.Ordinal) ? secret[SecretPrefix.Length..] : secret;
        var letters = text.TrimEnd('=');
        if (text.Length - letters.Length > 2 || letters.Length % 4 == 1)
            return null;
        if (letters.Length % 4 > 0 && Alphabet.IndexOf(letters[^1], StringComparison.Ordinal) is >= 0 and var last)
        {
            var unused = letters.Length % 4 == 2 ? 4 : 2;
            letters = letters[..^1] + Alphabet[last >> unused << unused];
        }

        var padded = letters.PadRight((letters.Length + 3) / 4 * 4, '=');
        return Base64.IsValid(padded, out var length) && length is >= 24 and <= 64 ? Convert.FromBase64String(padded) : null;
    }

    private static List<byte[]> SignaturesIn(string header)
    {
        List<byte[]> signatures = [];
        foreach (var entry in header.Split(' ', MostSignatures + 1).Take(MostSignatures))
        {
            var signature = new byte[SHA256.HashSizeInBytes];
            if (entry.StartsWith(Version, StringComparison.Ordinal)
                && Convert.TryFromBase64Chars(entry.AsSpan(Version.Length), signature, out var length)
                && length == signature.Length)
            {
                signatures.Add(signature);
            }
        }

        return signatures;
    }

    private static AuthenticationOutcome Compare(
        List<byte[]> signatures, string before, ReadOnlySpan<byte> body, IEnumerable<string> secrets)
    {
        var matches = false;
        foreach (var key in secrets.Select(KeyOf).OfType<byte[]>())
        {
            using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
            hash.AppendData(Encoding.UTF8.GetBytes(before));
            hash.AppendData(body);
            var expected = hash.GetHashAndReset();
            foreach (var signature in signatures)
                matches |= CryptographicOperations.FixedTimeEquals(signature, expected);
        }

        return matches ? AuthenticationOutcome.Valid : AuthenticationOutcome.Wrong;
    }
}
