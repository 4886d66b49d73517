using System.Text.Json.Nodes;
using YamlDotNet.Serialization;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>Reads YAML; every scalar is a string.</summary>
internal static class YamlText
{
    public static JsonNode Read(string file) => Parse(Repository.Read(file));

    /// <summary>The documents of a file with several.</summary>
    public static IEnumerable<JsonNode> ReadAll(string file) => Repository.Read(file).Split("\n---\n").Select(Parse);

    private static JsonNode Parse(string yaml)
    {
        var content = new DeserializerBuilder().Build().Deserialize(new StringReader(yaml));
        return JsonNode.Parse(new SerializerBuilder().JsonCompatible().Build().Serialize(content))!;
    }
}
