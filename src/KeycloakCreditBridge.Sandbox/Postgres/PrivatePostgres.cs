using System.Globalization;
using System.Security.Cryptography;
using KeycloakCreditBridge.Sandbox.Processes;
using Npgsql;

namespace KeycloakCreditBridge.Sandbox.Postgres;

/// <summary>
/// A private PostgreSQL server on a free port of 127.0.0.1, with a random password and data that <see cref="DisposeAsync"/> removes.
/// It ends with this process, however that ends.
/// </summary>
internal sealed class PrivatePostgres : IAsyncDisposable
{
    private const string User = "postgres";
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(30);

    private readonly InstanceFolder _folder;
    private readonly string _binaries;
    private readonly PrivatePostgresOptions _options;
    private readonly UnprivilegedUser? _user = UnprivilegedUser.WhenRoot("postgres");
    private readonly string _password = RandomNumberGenerator.GetHexString(32);
    private GuardedProcess? _server;

    private PrivatePostgres(string binaries, PrivatePostgresOptions options)
    {
        _folder = InstanceFolder.Claim(options.Folder, "postgres");
        (_binaries, _options) = (binaries, options);
    }

    public int Port { get; private set; }

    private IReadOnlyList<string> RunAs => _user?.Prefix ?? [];

    private string Data => Path.Combine(_folder.Path, "data");

    /// <exception cref="InvalidOperationException">PostgreSQL is not installed or does not start; the message says why.</exception>
    public static async Task<PrivatePostgres> StartAsync(PrivatePostgresOptions options, CancellationToken token)
    {
        var binaries = await PostgresBinaries.FindOrInstallAsync(options.Report, token);
        var postgres = new PrivatePostgres(binaries, options);
        try
        {
            await postgres.CreateClusterAsync(token);
            await postgres.StartOnFreePortAsync(token);
            return postgres;
        }
        catch
        {
            await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>The connection string of one database, in Npgsql's form.</summary>
    public string ConnectionString(string database) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = Port,
        Username = User,
        Password = _password,
        Database = database,
    }.ConnectionString;

    /// <summary>The same as psql takes it.</summary>
    public string PsqlAddress(string database) => $"postgresql://{User}:{_password}@127.0.0.1:{Port}/{database}";

    /// <summary>Creates a database, as a copy of <paramref name="template"/> if one is named, and returns its connection string.</summary>
    public async Task<string> CreateDatabaseAsync(string name, CancellationToken token, string? template = null)
    {
        var copy = template is null ? "" : $" template {Quoted(template)}";
        // Copying files costs less than logging their pages when checkpoints do not wait for the disk.
        var strategy = _options.Durable ? "" : " strategy file_copy";
        await ExecuteAsync($"create database {Quoted(name)}{copy}{strategy}", token);
        return ConnectionString(name);
    }

    /// <summary>Drops a database, ending the sessions that still use it.</summary>
    public async Task DropDatabaseAsync(string name, CancellationToken token)
    {
        await using (var pooled = new NpgsqlConnection(ConnectionString(name)))
            NpgsqlConnection.ClearPool(pooled);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await ExecuteAsync($"drop database if exists {Quoted(name)} with (force)", token);
                return;
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.ObjectInUse && attempt < 6)
            {
                // PostgreSQL itself waited five seconds for the sessions that it ended.
            }
        }
    }

    /// <summary>Stops the server: at once as if it had crashed, or after it has closed its sessions. The data stays.</summary>
    public async Task StopAsync(bool immediate)
    {
        if (_server is null)
            return;
        // INT asks the postmaster for a fast shutdown, QUIT for an immediate one.
        await _server.EndAsync(immediate ? "QUIT" : "INT", StopTimeout);
        await _server.DisposeAsync();
        _server = null;
    }

    /// <summary>Starts the stopped server again on the same port; returns when it takes connections.</summary>
    public async Task StartAgainAsync(CancellationToken token)
    {
        if (_server is null && !await TryStartAsync(token))
            throw new InvalidOperationException($"Port {Port} was taken while PostgreSQL was stopped.");
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(immediate: false);
        _folder.Dispose();
    }

    private static string Quoted(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private async Task CreateClusterAsync(CancellationToken token)
    {
        var passwordFile = Path.Combine(_folder.Path, "password");
        await File.WriteAllTextAsync(passwordFile, _password, token);
        // PostgreSQL refuses to run as root.
        if (_user is not null)
            await Command.RunAsync(["chown", "-R", _user.Name, _folder.Path], token);
        await Command.RunAsync(
            [
                .. RunAs, Path.Combine(_binaries, "initdb"), "--pgdata", Data, "--username", User, "--pwfile", passwordFile,
                "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
            ], token);
        File.Delete(passwordFile);
    }

    private async Task StartOnFreePortAsync(CancellationToken token)
    {
        for (var attempt = 0; attempt < 5; attempt++)
        {
            Port = FreePort.Next();
            if (await TryStartAsync(token))
                return;
        }
        throw new InvalidOperationException("PostgreSQL found no free port on 127.0.0.1.");
    }

    private async Task<bool> TryStartAsync(CancellationToken token)
    {
        _server = GuardedProcess.Start(
            [Path.Combine(_binaries, "postgres"), "-D", Data, .. Settings().SelectMany(setting => new[] { "-c", setting })],
            Path.Combine(_folder.Path, "postgres.log"), RunAs, new Dictionary<string, string>());
        while (!await AcceptsConnectionsAsync(token))
        {
            if (!_server.HasExited)
                continue;
            var lastLines = _server.LastLines();
            await StopAsync(immediate: true);
            return lastLines.Contains("Address already in use", StringComparison.Ordinal)
                ? false
                : throw new InvalidOperationException($"PostgreSQL did not start:\n{lastLines}");
        }
        return true;
    }

    private IEnumerable<string> Settings() =>
    [
        "listen_addresses=127.0.0.1",
        $"port={Port.ToString(CultureInfo.InvariantCulture)}",
        "unix_socket_directories=",
        $"max_connections={_options.MaxConnections.ToString(CultureInfo.InvariantCulture)}",
        .. _options.Durable ? Array.Empty<string>() : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"],
    ];

    private async Task<bool> AcceptsConnectionsAsync(CancellationToken token)
    {
        try
        {
            await ExecuteAsync("select 1", token);
            return true;
        }
        catch (NpgsqlException)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(30), token);
            return false;
        }
    }

    private async Task ExecuteAsync(string statement, CancellationToken token)
    {
        await using var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Pooling=false");
        await connection.OpenAsync(token);
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Identifiers cannot be parameters; they are quoted.
        command.CommandText = statement;
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(token);
    }
}
