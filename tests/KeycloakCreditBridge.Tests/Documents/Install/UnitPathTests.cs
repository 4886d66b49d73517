using System.Net;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>
/// docs/install/systemd.md from its second section on, without systemd: its commands as they stand, in a folder for the root of the file
/// system, and the unit's ExecStart with the unit's environment.
/// </summary>
[StartsPrograms]
public sealed class UnitPathTests(KeycloakFixture servers)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task The_commands_of_the_page_and_the_line_of_the_unit_lead_to_an_account(KeycloakKind kind)
    {
        await using var system = await InstallSystem.StartAsync(await servers.GetAsync(kind));
        using var admin = KeycloakAdmin.Of(system.Keycloak);
        var realm = $"unit-{Guid.NewGuid():n}";
        await admin.ImportRealmAsync(realm, """{"enabled":true,"registrationAllowed":true}""", Token);
        await ShellText.RunAsync(
            $"""
            psql --set ON_ERROR_STOP=1 {system.Postgres.PsqlAddress("postgres")} <<'SQL'
            {CreateDatabase.Replace("'...'", "'the password of the role bridge'", StringComparison.Ordinal)}
            SQL
            """);
        Assert.False(await system.IsSuperuserAsync("bridge"));
        var (address, blocks) = ($"http://127.0.0.1:{FreePort.Next()}", ShellText.Blocks("docs/install/systemd.md"));

        await ShellText.RunAsync(Here(blocks[1]));
        await ShellText.RunAsync(Here(blocks[2]), ("KEYCLOAK_ADMIN_PASSWORD", system.Keycloak.AdminPassword));
        var start = $"{UnitEnvironment}\nexport ASPNETCORE_URLS={address}\n";
        var unit = Lines("docs/install/credit-bridge.service", "ExecStart=").Single()["ExecStart=".Length..];
        await using var service = GuardedProcess.Start(
            ["bash", "-c", Here($"{start}exec {unit}")], Path.Combine(system.Folder, "bridge.log"), [],
            new Dictionary<string, string>());
        using var http = new HttpClient { BaseAddress = new Uri(address) };
        await Eventually.TrueAsync(() => IsReadyAsync(http), "the bridge is ready");
        await system.RegisterAsync(realm);

        await Eventually.TrueAsync(
            () => HasAccountAsync(Here($"{start}KeycloakCreditBridge account show ana@example.com")), "Ana has an account");
        await ShellText.RunAsync(Here($"{start}KeycloakCreditBridge health"));
        await admin.DeleteRealmAsync(realm, Token);

        string Here(string commands) => $"PATH=\"{InstallSystem.ProgramFolder}:$PATH\"\n" + commands
            .Replace("sudo -i\n", "", StringComparison.Ordinal)
            .Replace("sudo ", "", StringComparison.Ordinal)
            .Replace("/opt/credit-bridge", InstallSystem.ProgramFolder, StringComparison.Ordinal)
            .Replace("/etc/credit-bridge", $"{system.Folder}/etc", StringComparison.Ordinal)
            .Replace("%d", $"{system.Folder}/etc/secrets", StringComparison.Ordinal)
            .Replace("Host=localhost", $"Host=127.0.0.1;Port={system.Postgres.Port}", StringComparison.Ordinal)
            .Replace("https://sso.example.com", system.Keycloak.Url.ToString(), StringComparison.Ordinal)
            .Replace("=shop", $"={realm}", StringComparison.Ordinal)
            .Replace("--admin-user admin", $"--admin-user {system.Keycloak.AdminUser} --yes", StringComparison.Ordinal);
    }

    // As the front page has it.
    private static string CreateDatabase => string.Join('\n', Lines("README.md", "create "));

    // The lines of EnvironmentFile and Environment, as the shell's own.
    private static string UnitEnvironment =>
        $"""
        set -a
        . /etc/credit-bridge/bridge.env
        {string.Join('\n', Lines("docs/install/credit-bridge.service", "Environment=").Select(line => line["Environment=".Length..]))}
        set +a
        """;

    private static IEnumerable<string> Lines(string file, string start) =>
        Repository.Read(file).Split('\n', StringSplitOptions.TrimEntries).Where(line => line.StartsWith(start, StringComparison.Ordinal));

    private static async Task<bool> IsReadyAsync(HttpClient http)
    {
        try
        {
            return (await http.GetAsync(new Uri("health/ready", UriKind.Relative), Token)).StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<bool> HasAccountAsync(string command)
    {
        try
        {
            return (await ShellText.RunAsync(command)).Contains("active", StringComparison.Ordinal);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
