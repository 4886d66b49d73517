using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>docker-compose.yml.</summary>
internal sealed class ComposeFile
{
    private readonly JsonNode _file = YamlText.Read("docker-compose.yml");

    public IReadOnlyDictionary<string, JsonNode> Services =>
        _file["services"]!.AsObject().ToDictionary(pair => pair.Key, pair => pair.Value!);

    /// <summary>The script that PostgreSQL runs first, as the shell gets it.</summary>
    public string CreateDatabase =>
        ((string)_file["configs"]!["create-database"]!["content"]!).Replace("$$", "$", StringComparison.Ordinal);

    /// <summary>The bridge's settings, with the secrets' text.</summary>
    public Dictionary<string, string> BridgeSettings() => InstallSettings.Of(
        Services["bridge"]["environment"]!.AsObject().Select(pair => KeyValuePair.Create(pair.Key, (string)pair.Value!)),
        path => File.ReadAllText(SecretFile(path)));

    /// <summary>The file of this machine that a container sees at the path.</summary>
    public string SecretFile(string path) =>
        Path.Combine(Repository.Top, (string)_file["secrets"]![Path.GetFileName(path)]!["file"]!);

    /// <summary>The names of a service's list, such as its secrets or ports.</summary>
    public IEnumerable<string> List(string service, string key) =>
        Services[service][key]?.AsArray().Select(entry => (string)entry!) ?? [];
}
