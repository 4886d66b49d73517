using System.Text.RegularExpressions;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Configuration;

/// <summary>Every place that tells a version tells the same one, and it comes from the repository's tags.</summary>
public sealed partial class ProductVersionTests(PostgresFixture postgres)
{
    [StartsPrograms, Fact]
    public async Task The_command_line_the_user_agent_and_the_description_of_the_API_tell_one_version()
    {
        var (exitCode, output, _) = await CommandProcess.RunAsync([], "--version");
        Assert.Equal((0, ProductVersion.Text), (exitCode, output.Trim()));

        await using var fixture = await CreditsFixture.StartAsync(postgres);
        Assert.Equal(ProductVersion.Text, (string?)(await fixture.GetAsync("openapi/v1.json", null)).Json["info"]!["version"]);

        await using var services = Program.Compose([]).Services.BuildServiceProvider();
        using var client = services.GetRequiredService<IHttpClientFactory>().CreateClient(KeycloakOptions.HttpClientName);
        Assert.Equal($"KeycloakCreditBridge/{ProductVersion.Text}", client.DefaultRequestHeaders.UserAgent.ToString());
    }

    [Fact]
    public void A_build_from_the_repository_has_the_version_of_its_tags() => Assert.Matches(SemanticVersion(), ProductVersion.Text);

    // Not 1.0.0, which every build has that is told nothing.
    [GeneratedRegex(@"^(?!1\.0\.0(\+|$))\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9a-f]+)?$")]
    private static partial Regex SemanticVersion();
}
