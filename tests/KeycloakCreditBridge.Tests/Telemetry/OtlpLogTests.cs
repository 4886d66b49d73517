using KeycloakCreditBridge.Tests.Configuration;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Telemetry;

[StartsPrograms]
public sealed class OtlpLogTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Lines_over_OTLP_follow_the_levels_of_Serilog_also_when_they_change()
    {
        await using var receiver = await OtlpReceiverFixture.StartAsync();
        await using var fixture = await ExecutableFixture.CreateAsync(postgres);
        foreach (var (key, value) in receiver.Settings)
            fixture.Settings[key] = value;
        fixture.Write(Level("Debug"));
        await fixture.StartAsync();

        var first = await ReadAsync(fixture);
        await Eventually.TrueAsync(() => receiver.HasLine(first), "a line at Debug comes");
        await ChangeAsync(fixture, "Debug", "Error");
        var second = await ReadAsync(fixture);
        await ChangeAsync(fixture, "Error", "Debug");
        var third = await ReadAsync(fixture);
        await Eventually.TrueAsync(() => receiver.HasLine(third), "lines at Debug come again");
        Assert.False(receiver.HasLine(second));
    }

    // The line that says what changed stays.
    private static string Level(string level) =>
        $$"""
        {
          "Serilog": {
            "MinimumLevel": { "Override": { "KeycloakCreditBridge": "{{level}}", "KeycloakCreditBridge.Configuration": "Information" } }
          }
        }
        """;

    private static async Task ChangeAsync(ExecutableFixture fixture, string from, string to)
    {
        fixture.Write(Level(to));
        await fixture.Bridge.SignalAsync("HUP");
        await Eventually.TrueAsync(() => fixture.Says($"Override:KeycloakCreditBridge {from} → {to}"), $"the level is {to}");
    }

    // A first read writes lines about the user at Debug and at Information.
    private static async Task<string> ReadAsync(ExecutableFixture fixture)
    {
        var user = fixture.AddUser();
        await fixture.GetAsync("api/v1/credits/balance", fixture.TokenOf(user));
        return user;
    }
}
