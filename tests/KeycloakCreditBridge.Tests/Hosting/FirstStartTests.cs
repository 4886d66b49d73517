using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Hosting;

[StartsPrograms]
public sealed class FirstStartTests
{
    [Fact]
    public async Task A_first_start_warns_of_nothing_and_makes_no_keys()
    {
        var home = Directory.CreateTempSubdirectory("first-start-");
        try
        {
            await using var fixture = await FaultFixture.CreateAsync();
            await using var bridge = await BridgeProcess.StartAsync(
                fixture.BridgeUrl, new Dictionary<string, string>(fixture.HintsOnly, StringComparer.Ordinal) { ["HOME"] = home.FullName });

            Assert.DoesNotContain("DataProtection", bridge.Log, StringComparison.Ordinal);
            Assert.All(bridge.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries), line =>
                Assert.DoesNotContain(" WRN ", line, StringComparison.Ordinal));
            Assert.False(Directory.Exists(Path.Combine(home.FullName, ".aspnet")), "keys were written");
        }
        finally
        {
            home.Delete(recursive: true);
        }
    }
}
