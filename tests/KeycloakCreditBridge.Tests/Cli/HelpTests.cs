using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Cli;

[StartsPrograms]
public sealed class HelpTests
{
    private static readonly Dictionary<string, string?> Nothing = [];

    [Fact]
    public async Task Help_needs_no_configuration_and_names_every_command_and_exit_code()
    {
        var (exitCode, output, error) = await CommandProcess.RunAsync([KeyValuePair.Create("Hints:Lease", (string?)"soon")], "--help");

        Assert.Equal((0, ""), (exitCode, error));
        string[] texts = ["run", "migrate", "reconcile", "backfill", "hints", "usage", "--set", "--version", "Examples:", "Configuration:"];
        foreach (var text in texts)
            Assert.Contains(text, output, StringComparison.Ordinal);
        foreach (var code in new[] { "\n  0 ", "\n  1 ", "\n  2 ", "\n  3 ", "\n  130 " })
            Assert.Contains(code, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("reconcile", "--help")]
    [InlineData("setup", "keycloak", "--help")]
    public async Task Help_fits_80_columns_and_only_the_program_s_own_ends_with_examples(params string[] arguments)
    {
        var (exitCode, output, _) = await CommandProcess.RunAsync(Nothing, arguments);

        Assert.Equal(0, exitCode);
        Assert.DoesNotContain(output.Split('\n'), line => line.Length > 80);
        Assert.Equal(arguments.Length == 1, output.Contains("Exit codes:", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--realm", "reconcile", "--help")]
    [InlineData("--since", "reconcile", "--help")]
    [InlineData("--user", "backfill", "--help")]
    [InlineData("--dry-run", "backfill", "--help")]
    [InlineData("--json", "backfill", "--help")]
    [InlineData("--dead", "hints", "list", "--help")]
    [InlineData("--all-dead", "hints", "retry", "--help")]
    public async Task Help_of_a_command_names_its_options(string option, params string[] arguments) =>
        Assert.Contains(option, (await CommandProcess.RunAsync(Nothing, arguments)).Output, StringComparison.Ordinal);
}
