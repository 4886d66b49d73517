using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks.Light;

/// <summary>
/// The bridge as it is installed, and an ASP.NET Core program that does nothing, published likewise. Made of the repository beside this
/// program, unless a folder with a published bridge is named.
/// </summary>
internal sealed class PublishedPrograms : IDisposable
{
    private const string EmptyProject =
        """
        <Project Sdk="Microsoft.NET.Sdk.Web">
          <PropertyGroup>
            <TargetFramework>net10.0</TargetFramework>
            <ImplicitUsings>enable</ImplicitUsings>
            <InvariantGlobalization>true</InvariantGlobalization>
            <PublishReadyToRun>true</PublishReadyToRun>
          </PropertyGroup>
        </Project>
        """;

    private const string EmptyProgram =
        """
        // The working directory may be the root, whose files it would watch.
        var app = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory }).Build();
        app.MapGet("/health/ready", () => "ready");
        app.Run();
        """;

    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "light");

    private PublishedPrograms()
    {
    }

    public string Bridge { get; private set; } = "";

    public string Empty => Path.Combine(_folder.Path, "empty-out", "empty");

    /// <param name="published">A folder with a published bridge, or null to publish this repository's.</param>
    public static async Task<PublishedPrograms> CreateAsync(string? published)
    {
        var programs = new PublishedPrograms();
        try
        {
            var source = Directory.CreateDirectory(Path.Combine(programs._folder.Path, "empty")).FullName;
            await File.WriteAllTextAsync(Path.Combine(source, "empty.csproj"), EmptyProject);
            await File.WriteAllTextAsync(Path.Combine(source, "Program.cs"), EmptyProgram);
            await PublishAsync(source, Path.Combine(programs._folder.Path, "empty-out"));
            var folder = published ?? Path.Combine(programs._folder.Path, "bridge-out");
            if (published is null)
                await PublishAsync(Repository("src/KeycloakCreditBridge"), folder, "-p:RunAnalyzers=false");
            programs.Bridge = Path.Combine(folder, "KeycloakCreditBridge");
            return programs;
        }
        catch
        {
            programs.Dispose();
            throw;
        }
    }

    public void Dispose() => _folder.Dispose();

    // As the image is made: for its processor, from native code, with the shared framework.
    private static Task<string> PublishAsync(string project, string output, params IReadOnlyList<string> more) => Command.RunAsync(
        [
            "dotnet", "publish", project, "--nologo", "-v", "quiet", "-c", "Release", "--use-current-runtime", "--self-contained", "false",
            "-o", output, .. more,
        ],
        CancellationToken.None);

    private static string Repository(string path)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "KeycloakCreditBridge.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("The benchmark does not stand in the repository.");
        return Path.Combine(folder.FullName, path);
    }
}
