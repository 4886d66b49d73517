using System.Text.RegularExpressions;
using KeycloakCreditBridge.Hosting.Addresses;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>Every document and every file to install with gives the bridge the port that it has by default, or that of metrics.</summary>
public sealed partial class AddressTests
{
    private static readonly string Port = new Uri(ListenAddresses.Default.Replace("+", "any", StringComparison.Ordinal)).Port.ToString(
        System.Globalization.CultureInfo.InvariantCulture);

    private const string ManagementPort = "9085";

    public static TheoryData<string> Files() =>
    [
        "README.md", "docker-compose.yml", "src/KeycloakCreditBridge/Dockerfile", "keycloak-config/README.md",
        .. Repository.FilesUnder("docs", ".md", ".yaml", ".service"),
    ];

    [Theory]
    [MemberData(nameof(Files))]
    public void The_bridge_has_one_port(string file)
    {
        var others = Address().Matches(Repository.Read(file))
            .Where(address => address.Groups["port"].Value is var port && port != Port && port != ManagementPort)
            .Select(address => address.Value);
        Assert.Empty(others);
    }

    [GeneratedRegex(@"bridge:(?<port>\d+)|localhost:(?<port>5000)|^EXPOSE (?<port>\d+)", RegexOptions.Multiline)]
    private static partial Regex Address();
}
