namespace KeycloakCreditBridge.Tests;

/// <summary>The files of the repository that tests hold against the program.</summary>
internal static class Repository
{
    /// <summary>The folder of the solution, in which the build's output lies too.</summary>
    public static string Top { get; } = Find();

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "KeycloakCreditBridge.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests do not run inside the repository.");
    }
}
