using System.Globalization;
using KeycloakCreditBridge.Cli;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>The systemd unit agrees with the program and with the page that installs it; .ci/run has systemd verify it.</summary>
public sealed class UnitTests
{
    private static readonly string[] Lines = Repository.Read("docs/install/credit-bridge.service").Split('\n');
    private static readonly string Page = Repository.Read("docs/install/systemd.md");

    [Fact]
    public void The_program_takes_the_command_of_the_unit()
    {
        var command = Assert.Single(Values("ExecStart")).Split(' ');
        Assert.Empty(CliModule.Root(new CommandHost(Program.Compose, Program.Build)).Parse(command[1..]).Errors);
        Assert.Contains(Path.GetDirectoryName(command[0])!, Page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_bridge_starts_with_the_settings_of_unit_and_page()
    {
        var file = Page.Split("<<'END'\n")[1].Split("\nEND")[0].Split('\n');
        var settings = file.Concat(Values("Environment")).Select(line => line.Split('=', 2));
        InstallSettings.Bind(InstallSettings.Of(settings.Select(pair => KeyValuePair.Create(pair[0], pair[1].Trim('\''))), Secret));
    }

    [Fact]
    public void Every_secret_is_a_credential_whose_file_the_page_makes()
    {
        foreach (var credential in Values("LoadCredential").Select(line => line.Split(':')))
        {
            Assert.Contains($"tee {credential[1]} ", Page, StringComparison.Ordinal);
            Assert.Contains(Values("Environment"), variable => variable.EndsWith($"_FILE=%d/{credential[0]}", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Wrong_settings_do_not_restart_the_service() =>
        Assert.Equal([ExitCode.Usage.ToString(CultureInfo.InvariantCulture)], Values("RestartPreventExitStatus"));

    // A credential that the unit does not load has no text.
    private static string Secret(string path) =>
        Values("LoadCredential").Any(line => line.StartsWith($"{Path.GetFileName(path)}:", StringComparison.Ordinal)) ? "secret" : "";

    private static IEnumerable<string> Values(string key) =>
        Lines.Where(line => line.StartsWith(key + "=", StringComparison.Ordinal)).Select(line => line[(key.Length + 1)..]);
}
