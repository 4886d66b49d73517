using System.Buffers;

namespace KeycloakCreditBridge.Configuration.Shell;

/// <summary>Commands that messages advise are copied into a shell: a name with a space or a quote must stay one word there.</summary>
internal static class ShellWord
{
    private static readonly SearchValues<char> Plain =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,");

    /// <summary>The text as one word of a POSIX shell, in single quotes where it needs them.</summary>
    public static string Of(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExcept(Plain)
        ? text
        : $"'{text.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
