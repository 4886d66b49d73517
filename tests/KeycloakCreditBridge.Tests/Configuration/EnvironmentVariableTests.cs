using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Configuration;

/// <summary>Variables that other programs set in the same environment.</summary>
public sealed class EnvironmentVariableTests
{
    [StartsPrograms, Fact]
    public async Task Variables_named_like_sections_and_service_links_of_Kubernetes_set_nothing()
    {
        var nowhere = $"http://127.0.0.1:{FreePort.Next()}";
        Dictionary<string, string?> settings = new(StringComparer.OrdinalIgnoreCase)
        {
            ["Storage:ConnectionString"] = $"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y",
            ["Keycloak:Url"] = nowhere,
            ["Keycloak:ClientSecret"] = "secret",
            ["Keycloak:Realms:0:Name"] = "shop",
            ["KEYCLOAK_PORT"] = "tcp://10.0.0.1:8080",
            ["KEYCLOAK_PORT_8080_TCP_ADDR"] = "10.0.0.1",
            ["KEYCLOAK_SERVICE_HOST"] = "10.0.0.1",
            ["KEYCLOAK_SERVICE_PORT_HTTP"] = "8080",
            ["API_PORT"] = "tcp://10.0.0.2:80",
        };
        foreach (var section in Sections())
            settings[section] = "tcp://10.0.0.1:8080";

        var (_, output, _) = await CommandProcess.RunAsync(settings, "doctor");

        Assert.Contains("ok    configuration: ", output, StringComparison.Ordinal);
        Assert.Contains($"Keycloak cannot be reached at {nowhere}", output, StringComparison.Ordinal);
    }

    [StartsPrograms, Fact]
    public async Task A_section_that_the_command_line_gives_as_a_single_value_is_refused()
    {
        var (exitCode, _, error) = await CommandProcess.RunAsync(
            new Dictionary<string, string?>(StringComparer.Ordinal), "run", "--set", "Keycloak=tcp://10.0.0.1:8080");

        Assert.Equal(2, exitCode);
        Assert.Contains(" is a single value: it has keys below it", error, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Sections()
    {
        using var services = Program.Compose([]).Services.BuildServiceProvider();
        return [.. services.GetServices<BoundSection>().Select(section => section.Name.ToUpperInvariant())];
    }
}
