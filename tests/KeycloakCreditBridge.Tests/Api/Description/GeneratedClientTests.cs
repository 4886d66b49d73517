using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using NJsonSchema.CodeGeneration.CSharp;
using NSwag;
using NSwag.CodeGeneration.CSharp;

namespace KeycloakCreditBridge.Tests.Api.Description;

/// <summary>Linters accept the document, and clients that are generated from it work.</summary>
[StartsPrograms]
public sealed class GeneratedClientTests(PostgresFixture postgres)
{
    private static readonly string Sources = Path.Combine(Repository.Top, ".ci", "openapi");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Redocly_and_Spectral_find_no_error_in_the_document()
    {
        var tools = await NodeTools.FolderAsync(Sources, Token);
        await using var bridge = await DescribedBridgeFixture.StartAsync(postgres);
        using var folder = InstanceFolder.Claim(Path.GetTempPath(), "openapi");
        var document = Path.Combine(folder.Path, "v1.json");
        await File.WriteAllTextAsync(document, bridge.Text, Token);
        await Command.RunAsync([Tool(tools, "redocly"), "lint", "--config", Path.Combine(Sources, "redocly.yaml"), document], Token, Quiet);
        await Command.RunAsync(
            [Tool(tools, "spectral"), "lint", "--ruleset", Path.Combine(Sources, "spectral.yaml"), "--fail-severity", "warn", document],
            Token);
    }

    [Fact]
    public async Task A_TypeScript_client_by_openapi_typescript_compiles_and_does_the_ordinary_calls()
    {
        var tools = await NodeTools.FolderAsync(Sources, Token);
        await using var bridge = await DescribedBridgeFixture.StartAsync(postgres);
        using var folder = InstanceFolder.Claim(Path.GetTempPath(), "client-ts");
        foreach (var file in (string[])["package.json", "tsconfig.json", "calls.ts", "globals.d.ts"])
            File.Copy(Path.Combine(Sources, file), Path.Combine(folder.Path, file));
        Directory.CreateSymbolicLink(Path.Combine(folder.Path, "node_modules"), Path.Combine(tools, "node_modules"));
        var document = Path.Combine(folder.Path, "v1.json");
        await File.WriteAllTextAsync(document, bridge.Text, Token);
        await Command.RunAsync(
            [Tool(tools, "openapi-typescript"), document, "--output", Path.Combine(folder.Path, "bridge.d.ts")], Token);
        await Command.RunAsync([Tool(tools, "tsc"), "--project", folder.Path], Token);
        await CallAsync(bridge, ["node", Path.Combine(folder.Path, "out", "calls.js")]);
    }

    [Fact]
    public async Task A_CSharp_client_by_NSwag_compiles_and_does_the_ordinary_calls()
    {
        await using var bridge = await DescribedBridgeFixture.StartAsync(postgres);
        using var folder = InstanceFolder.Claim(Path.GetTempPath(), "client-cs");
        var settings = new CSharpClientGeneratorSettings { ClassName = "BridgeClient" };
        settings.CSharpGeneratorSettings.Namespace = "Bridge";
        settings.CSharpGeneratorSettings.JsonLibrary = CSharpJsonLibrary.SystemTextJson;
        settings.CSharpGeneratorSettings.GenerateNullableReferenceTypes = true;
        var client = new CSharpClientGenerator(await OpenApiDocument.FromJsonAsync(bridge.Text, Token), settings).GenerateFile();
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "BridgeClient.cs"), client, Token);
        foreach (var file in (string[])["Client.csproj", "Calls.cs"])
            File.Copy(Path.Combine(Sources, file), Path.Combine(folder.Path, file));
        await Command.RunAsync(
            ["dotnet", "build", "--nologo", "-v", "quiet", "--output", Path.Combine(folder.Path, "out"), folder.Path], Token);
        await CallAsync(bridge, ["dotnet", Path.Combine(folder.Path, "out", "Client.dll")]);
    }

    private static readonly Dictionary<string, string> Quiet = new(StringComparer.Ordinal)
    {
        ["REDOCLY_TELEMETRY"] = "off", ["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true",
    };

    private static string Tool(string tools, string name) => Path.Combine(tools, "node_modules", ".bin", name);

    private static async Task CallAsync(DescribedBridgeFixture bridge, string[] program)
    {
        var output = await Command.RunAsync(program, Token, new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["BRIDGE_URL"] = bridge.Url.AbsoluteUri.TrimEnd('/'),
            ["USER_ID"] = bridge.UserId,
            ["USER_TOKEN"] = bridge.UserToken,
            ["ADMIN_TOKEN"] = bridge.AdminToken,
            ["GATEWAY_KEY"] = DescribedBridgeFixture.GatewayKey,
        });
        Assert.Contains("did the ordinary calls.", output, StringComparison.Ordinal);
    }
}
