using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Storage.Sessions;

/// <summary>Debian's PgBouncer with its default settings before one database.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "pgbouncer");
    private readonly int _port = FreePort.Next();
    private GuardedProcess? _process;

    private PgBouncer()
    {
    }

    public string ConnectionString => $"Host=127.0.0.1;Port={_port};Database=pooled;Username=any";

    /// <summary>Skips the test, with a line that says so, where PgBouncer is not installed.</summary>
    public static async Task<PgBouncer> StartAsync(TestDatabase database, string poolMode)
    {
        Assert.SkipUnless(Command.Find("pgbouncer") is not null, "Needs PgBouncer: install pgbouncer.");
        var bouncer = new PgBouncer();
        await bouncer.StartAsync(new NpgsqlConnectionStringBuilder(database.ConnectionString), poolMode);
        return bouncer;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
        _folder.Dispose();
    }

    private async Task StartAsync(NpgsqlConnectionStringBuilder target, string poolMode)
    {
        TestNeeds.Demand(TestNeeds.Programs);
        var token = TestContext.Current.CancellationToken;
        var settings = Path.Combine(_folder.Path, "pgbouncer.ini");
        await File.WriteAllTextAsync(
            settings,
            $"""
            [databases]
            pooled = host={target.Host} port={target.Port} dbname={target.Database} user={target.Username} password={target.Password}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {_port}
            unix_socket_dir =
            auth_type = any
            pool_mode = {poolMode}
            """,
            token);
        // PgBouncer refuses to run as root.
        var user = UnprivilegedUser.WhenRoot("postgres");
        if (user is not null)
            await Command.RunAsync(["chown", "-R", user.Name, _folder.Path], token);
        _process = GuardedProcess.Start(
            [Command.Find("pgbouncer")!, settings], Path.Combine(_folder.Path, "pgbouncer.log"), user?.Prefix ?? [],
            new Dictionary<string, string>());
        await Eventually.TrueAsync(() => AnswersAsync(token), "PgBouncer answers");
    }

    private async Task<bool> AnswersAsync(CancellationToken token)
    {
        try
        {
            await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
            await connection.OpenAsync(token);
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }
}
