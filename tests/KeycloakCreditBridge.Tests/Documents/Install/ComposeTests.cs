using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>What docker-compose.yml claims, without Docker.</summary>
public sealed partial class ComposeTests
{
    private readonly ComposeFile _compose = new();

    [Fact]
    public void The_bridge_starts_with_its_settings() => InstallSettings.Bind(_compose.BridgeSettings());

    [Fact]
    public void Every_port_is_open_on_this_machine_only() =>
        Assert.All(
            _compose.Services.Keys.SelectMany(service => _compose.List(service, "ports")),
            port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));

    [Fact]
    public void Tokens_name_the_address_at_which_Keycloak_is_published()
    {
        var port = _compose.List("keycloak", "ports").Single().Split(':')[1];
        Assert.Equal($"http://localhost:{port}", _compose.BridgeSettings()["Keycloak:PublicUrl"]);
    }

    [Fact]
    public void Every_secret_comes_from_a_file_that_is_there()
    {
        foreach (var service in _compose.Services.Keys)
            Assert.All(_compose.List(service, "secrets"), secret => Assert.NotEmpty(File.ReadAllText(_compose.SecretFile(secret))));
        Assert.DoesNotMatch(ClearSecret(), Repository.Read("docker-compose.yml"));
    }

    [Fact]
    public void Data_of_PostgreSQL_and_Keycloak_outlives_their_containers() =>
        Assert.All(
            (string[])["postgres", "keycloak"],
            service => Assert.Contains(_compose.List(service, "volumes"), volume => !volume.StartsWith('.')));

    [Fact]
    public void Images_have_exact_tags() =>
        Assert.All(
            _compose.Services.Values.Select(service => (string?)service["image"]).OfType<string>(),
            image => Assert.Matches(ExactTag(), image));

    [Fact]
    public void The_demo_realm_has_no_listener_of_a_plugin_that_may_be_missing() =>
        Assert.Contains(
            "\"eventsListeners\": [\"jboss-logging\"]", Repository.Read("keycloak-config/demo-realm.json"), StringComparison.Ordinal);

    [GeneratedRegex(@"(PASSWORD|Password|Secret|SECRET)(s__0)?: ")]
    private static partial Regex ClearSecret();

    [GeneratedRegex(@":\d+\.\d+(\.\d+)?(@sha256:[0-9a-f]{64})?$")]
    private static partial Regex ExactTag();
}
