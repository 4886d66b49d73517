using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Cli.Grants;

/// <summary>`grants invite` with the real executable.</summary>
[StartsPrograms]
public sealed class InviteCommandTests
{
    private static readonly string Key = new('i', 32);

    [Fact]
    public async Task An_invitation_is_signed_without_a_database()
    {
        var signed = await RunAsync(Key, "--campaign", "spring", "--until", "2027-04-01");
        Assert.Equal((0, ""), (signed.ExitCode, signed.Error));
        Assert.Equal("spring", new InviteLinks(Key).CampaignOf(signed.Output.TrimEnd(), new DateTimeOffset(2027, 3, 31, 0, 0, 0, default)));
    }

    [Theory]
    [InlineData("", "spring", "2027-04-01", "Grants:InviteKey is empty")]
    [InlineData("short", "spring", "2027-04-01", "Grants:InviteKey has 5 characters")]
    [InlineData("", "Spring", "2027-04-01", "--campaign takes a to z")]
    [InlineData("", "spring", "soon", "--until soon is not a date")]
    public async Task What_cannot_be_signed_is_wrong_usage(string key, string campaign, string until, string problem)
    {
        var refused = await RunAsync(key, "--campaign", campaign, "--until", until);
        Assert.Equal((2, ""), (refused.ExitCode, refused.Output));
        Assert.Contains(problem, refused.Error, StringComparison.Ordinal);
    }

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(string key, params string[] arguments)
    {
        var settings = BridgeFixture.Settings("Host=nowhere;Database=credits", new Uri("http://127.0.0.1:9"));
        settings["Grants:InviteKey"] = key;
        return CommandProcess.RunAsync(settings, ["grants", "invite", .. arguments]);
    }
}
