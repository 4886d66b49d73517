using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>What an operator has before installing: an empty PostgreSQL, a real Keycloak, and the program in a folder.</summary>
internal sealed class InstallSystem(IKeycloakServer keycloak, PrivatePostgres postgres) : IAsyncDisposable
{
    public static readonly SandboxUser Ana = new("ana", "ana@example.com");

    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "install");

    public IKeycloakServer Keycloak => keycloak;

    public PrivatePostgres Postgres => postgres;

    /// <summary>Stands for the root of the machine's file system.</summary>
    public string Folder => _folder.Path;

    /// <summary>Where the program is.</summary>
    public static string ProgramFolder => AppContext.BaseDirectory.TrimEnd('/');

    public static async Task<InstallSystem> StartAsync(IKeycloakServer keycloak) =>
        new(keycloak, await PostgresFixture.StartOwnAsync(durable: false));

    /// <summary>Signs Ana up with the page that users see.</summary>
    public Task RegisterAsync(string realm) =>
        new KeycloakBrowser(keycloak.Url).RegisterAsync(realm, Ana, TestContext.Current.CancellationToken);

    /// <summary>Whether the role that the bridge uses is a superuser.</summary>
    public async Task<bool> IsSuperuserAsync(string role) =>
        await ShellText.RunAsync(
            $"""
            psql --tuples-only --no-align {postgres.PsqlAddress("postgres")} -c "select rolsuper from pg_roles where rolname = '{role}'"
            """) != "f\n";

    public async ValueTask DisposeAsync()
    {
        await postgres.DisposeAsync();
        _folder.Dispose();
    }
}
