namespace KeycloakCreditBridge.Tests;

/// <summary>What a test of the source or of the documents has found.</summary>
internal static class Findings
{
    /// <summary>Fails with all of them, one a line; Assert.Empty shows the first few only.</summary>
    public static void None(IEnumerable<string?> found)
    {
        var lines = string.Join('\n', found);
        Assert.True(lines.Length == 0, lines);
    }
}
