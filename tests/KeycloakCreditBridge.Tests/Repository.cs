namespace KeycloakCreditBridge.Tests;

/// <summary>The files of the repository that tests hold against the program.</summary>
internal static class Repository
{
    /// <summary>The folder of the solution, in which the build's output lies too.</summary>
    public static string Top { get; } = Find();

    /// <summary>The whole text of one of its files.</summary>
    /// <param name="file">Its path from the top.</param>
    public static string Read(string file) => File.ReadAllText(Path.Combine(Top, file));

    /// <summary>The files below a folder whose names end in one of the endings, as paths from the top.</summary>
    public static IEnumerable<string> FilesUnder(string folder, params string[] endings) =>
        Directory.EnumerateFiles(Path.Combine(Top, folder), "*", SearchOption.AllDirectories)
            .Where(file => endings.Any(ending => file.EndsWith(ending, StringComparison.Ordinal)))
            .Select(file => Path.GetRelativePath(Top, file))
            .Order(StringComparer.Ordinal);

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "KeycloakCreditBridge.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests do not run inside the repository.");
    }
}
