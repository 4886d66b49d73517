using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Cli;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hosting.Addresses;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>The manifests agree with the program; .ci/run checks them against the schemas of Kubernetes.</summary>
public sealed class KubernetesTests
{
    private const string Folder = "docs/kubernetes";

    public static TheoryData<string> Overlays() => ["deployment", "sidecar"];

    [Theory]
    [MemberData(nameof(Overlays))]
    public void The_bridge_starts_with_the_settings(string overlay) =>
        InstallSettings.Bind(new Dictionary<string, string>(Settings(overlay).Concat(Changing())));

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Settings_of_the_file_change_in_running_pods_and_no_variable_wins_over_them(string overlay)
    {
        using var services = Program.Compose([.. Settings(overlay).Select(setting => $"--{setting.Key}={setting.Value}")]).Services
            .BuildServiceProvider();
        var keys = Changing().Keys;
        Assert.All(keys, key => Assert.True(services.GetRequiredService<HotKeys>().IsHot(key), key));
        Assert.Empty(keys.Intersect(Settings(overlay).Keys));

        // A name that follows the content would replace the pods, and a single file would never change in them.
        var generator = Assert.Single(
            YamlText.Read($"{Folder}/base/kustomization.yaml")["configMapGenerator"]!.AsArray(), map => map!["files"] is not null)!;
        Assert.Equal("true", (string?)generator["options"]!["disableNameSuffixHash"]);
        var volume = Assert.Single(
            Pod(overlay)["volumes"]!.AsArray(), volume => (string?)volume!["configMap"]?["name"] == (string)generator["name"]!)!;
        var mount = Assert.Single(
            Bridge(overlay)["volumeMounts"]!.AsArray(), mount => (string)mount!["name"]! == (string)volume["name"]!)!;
        Assert.Equal((string)Bridge(overlay)["workingDir"]!, (string)mount["mountPath"]!);
        Assert.Null(mount["subPath"]);
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Every_port_is_one_that_the_bridge_listens_on_and_Keycloak_s_are_others(string overlay)
    {
        var settings = Settings(overlay);
        var expected = ((string[])[ListenAddresses.Default, settings["Management:Url"]])
            .Select(address => new Uri(address.Replace('+', 'x')).Port.ToString(CultureInfo.InvariantCulture)).ToList();
        var bridge = Bridge(overlay);
        var ports = bridge["ports"]!.AsArray().ToDictionary(port => (string)port!["name"]!, port => (string)port!["containerPort"]!);
        Assert.Equal(expected.Order(), ports.Values.Order());
        Assert.Equal(expected[0], $"{new Uri(settings["Intake:Webhook:Url"]).Port}");
        foreach (var probe in (string[])["startupProbe", "livenessProbe", "readinessProbe"])
            if (bridge[probe]?["httpGet"] is { } get)
                Assert.Equal(expected[0], ports[(string)get["port"]!]);
        var others = Containers(overlay).Where(container => (string)container["image"]! != "credit-bridge")
            .SelectMany(container => container["ports"]?.AsArray() ?? []).Select(port => (string)port!["containerPort"]!);
        Assert.Empty(others.Intersect(expected));
    }

    [Fact]
    public void A_sidecar_starts_before_Keycloak_and_waits_for_nothing_that_Keycloak_does()
    {
        var bridge = Bridge("sidecar");
        Assert.Equal("Always", (string?)bridge["restartPolicy"]);
        Assert.Equal("/health/live", (string?)bridge["startupProbe"]!["httpGet"]!["path"]);
        Assert.Null(bridge["readinessProbe"]);
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void The_program_takes_the_arguments_and_runs_without_privileges_on_a_read_only_disk(string overlay)
    {
        var job = YamlText.Read($"{Folder}/base/migration.yaml")["spec"]!["template"]!["spec"]!["containers"]![0]!;
        var root = CliModule.Root(new CommandHost(Program.Compose, Program.Build));
        foreach (var container in (JsonNode[])[job, Bridge(overlay)])
        {
            Assert.Empty(root.Parse([.. container["args"]!.AsArray().Select(argument => (string)argument!)]).Errors);
            Assert.Equal("true", (string?)container["securityContext"]!["readOnlyRootFilesystem"]);
            Assert.Equal("false", (string?)container["securityContext"]!["allowPrivilegeEscalation"]);
            Assert.Equal("ALL", (string?)container["securityContext"]!["capabilities"]!["drop"]![0]);
        }
    }

    [Fact]
    public void Replicas_that_are_not_ready_still_get_webhooks() =>
        Assert.Equal(
            "true", (string?)YamlText.Read($"{Folder}/overlays/deployment/service.yaml")["spec"]!["publishNotReadyAddresses"]);

    [Theory]
    [InlineData("deployment", "servicemonitor.yaml", "endpoints")]
    [InlineData("sidecar", "podmonitor.yaml", "podMetricsEndpoints")]
    public void Prometheus_reads_the_port_of_the_metrics_and_no_other_pod_reaches_it(string overlay, string monitor, string endpoints)
    {
        var port = (string)YamlText.Read($"{Folder}/overlays/{overlay}/{monitor}")["spec"]![endpoints]![0]!["port"]!;
        var number = overlay == "sidecar"
            ? (string)Bridge(overlay)["ports"]!.AsArray().Single(entry => (string)entry!["name"]! == port)!["containerPort"]!
            : (string)YamlText.Read($"{Folder}/overlays/{overlay}/service.yaml")["spec"]!["ports"]!.AsArray()
                .Single(entry => (string)entry!["name"]! == port)!["port"]!;
        Assert.Equal($"{new Uri(Settings(overlay)["Management:Url"].Replace('+', 'x')).Port}", number);
        var rules = YamlText.Read($"{Folder}/overlays/{overlay}/networkpolicy.yaml")["spec"]!["ingress"]!.AsArray();
        var rule = Assert.Single(rules, rule => rule!["ports"]!.AsArray().Any(entry => (string)entry!["port"]! == number));
        var from = Assert.Single(rule!["from"]!.AsArray())!;
        Assert.Equal("monitoring", (string?)from["namespaceSelector"]!["matchLabels"]!["kubernetes.io/metadata.name"]);
    }

    [Fact]
    public void In_a_sidecar_only_labelled_pods_and_Keycloak_s_own_call_the_bridge()
    {
        var rules = YamlText.Read($"{Folder}/overlays/sidecar/networkpolicy.yaml")["spec"]!["ingress"]!.AsArray();
        var rule = Assert.Single(rules, rule => rule!["ports"]!.AsArray().Any(entry => (string)entry!["port"]! == "8085"));
        var labels = rule!["from"]!.AsArray().Select(from => from!["podSelector"]!["matchLabels"]!.AsObject().Single().Value);
        Assert.Equal(["true", "keycloak"], labels.Select(label => (string)label!));
        Assert.Contains(rules, entry => entry!["from"] is null && (string)entry["ports"]![0]!["port"]! == "8080");
    }

    private static Dictionary<string, string> Settings(string overlay)
    {
        var shared = Repository.Read($"{Folder}/base/settings.env").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var own = YamlText.Read($"{Folder}/overlays/{overlay}/kustomization.yaml")["configMapGenerator"]![0]!["literals"]!.AsArray();
        var page = Repository.Read("docs/install/kubernetes.md");
        return InstallSettings.Of(
            shared.Concat(own.Select(line => (string)line!)).Select(line => line.Split('=', 2)).Select(
                pair => KeyValuePair.Create(pair[0], pair[1])),
            path => page.Contains($"{Path.GetFileName(path)}=", StringComparison.Ordinal) ? "secret" : "");
    }

    // What the manifests have in the file that is read while the bridge runs.
    private static Dictionary<string, string> Changing() => new ConfigurationBuilder()
        .AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(Repository.Read($"{Folder}/base/appsettings.json")))).Build().AsEnumerable()
        .Where(setting => setting.Value is not null).ToDictionary(setting => setting.Key, setting => setting.Value!);

    private static JsonNode Bridge(string overlay) =>
        Assert.Single(Containers(overlay), container => (string)container["image"]! == "credit-bridge");

    private static List<JsonNode> Containers(string overlay)
    {
        var pod = Pod(overlay);
        return [.. (pod["initContainers"]?.AsArray() ?? []).Concat(pod["containers"]!.AsArray()).OfType<JsonNode>()];
    }

    private static JsonNode Pod(string overlay)
    {
        var file = overlay == "sidecar" ? "keycloak.yaml" : "deployment.yaml";
        return YamlText.ReadAll($"{Folder}/overlays/{overlay}/{file}").First()["spec"]!["template"]!["spec"]!;
    }
}
