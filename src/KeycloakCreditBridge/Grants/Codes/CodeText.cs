using System.Globalization;
using System.Security.Cryptography;

namespace KeycloakCreditBridge.Grants.Codes;

/// <summary>How codes are made, shown and compared: Crockford's base32, without letters that look like digits.</summary>
internal static class CodeText
{
    /// <summary>Characters of a request beyond which nothing is compared.</summary>
    public const int Longest = 64;

    /// <summary>80 random bits.</summary>
    public const int GeneratedLength = 16;

    private const int ShortestWord = 4;
    private const int LongestWord = 32;
    private const int Group = 4;
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    /// <summary>A code that cannot be guessed, five random bits a character.</summary>
    public static string Generate(int length = GeneratedLength) => RandomNumberGenerator.GetString(Alphabet, length);

    /// <summary>The code in groups of four, as a person reads and types it.</summary>
    public static string Display(string code) => string.Join('-', code.Chunk(Group).Select(part => new string(part)));

    /// <summary>
    /// What is compared: in upper case, O as 0, I and L as 1, without blanks and hyphens. Characters of other alphabets stay, and match
    /// nothing.
    /// </summary>
    public static string Normalize(string text) => string.Create(
        text.Count(IsKept), text, static (span, text) =>
        {
            var next = 0;
            foreach (var character in text.Where(IsKept))
                span[next++] = Normalize(character);
        });

    /// <summary>Whether a normalized text has characters of the alphabet alone, as generated codes do.</summary>
    public static bool IsCode(string normalized) => normalized.All(character => Alphabet.Contains(character, StringComparison.Ordinal));

    /// <summary>What is wrong with a word that an operator chose as a code; null if nothing is.</summary>
    public static string? ProblemWith(string word) =>
        word.Length is >= ShortestWord and <= LongestWord && word.All(IsOfWord) && Normalize(word).Length >= ShortestWord
            ? null
            : $"is not {ShortestWord} to {LongestWord} characters A-Z, 0-9 and -, of which {ShortestWord} or more are no hyphens";

    private static bool IsOfWord(char character) => character is >= 'A' and <= 'Z' or >= '0' and <= '9' or '-';

    // Programs that set text make other dashes of hyphens.
    private static bool IsKept(char character) =>
        !char.IsWhiteSpace(character) && CharUnicodeInfo.GetUnicodeCategory(character) != UnicodeCategory.DashPunctuation;

    // Letters of ASCII only: a letter that merely has an upper case there is another letter.
    private static char Normalize(char character) => (char.IsAsciiLetter(character) ? char.ToUpperInvariant(character) : character) switch
    {
        'O' => '0',
        'I' or 'L' => '1',
        var other => other,
    };
}
