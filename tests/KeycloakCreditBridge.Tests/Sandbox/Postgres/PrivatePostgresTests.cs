using System.Net.Sockets;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Sandbox.Postgres;

[Trait(TestNeeds.Trait, TestNeeds.PostgreSql)]
public sealed class PrivatePostgresTests : IDisposable
{
    private readonly string _folder = CacheFolder.Of($"tests-{Guid.NewGuid():n}");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Two_servers_run_side_by_side_and_leave_nothing()
    {
        int port;
        await using (var one = await PrivatePostgres.StartAsync(new PrivatePostgresOptions(_folder, Durable: false), Token))
        await using (var other = await PrivatePostgres.StartAsync(new PrivatePostgresOptions(_folder, Durable: false), Token))
        {
            port = one.Port;
            Assert.NotEqual(one.Port, other.Port);
            Assert.Equal("off", await ReadAsync(one.ConnectionString("postgres"), "show fsync"));

            var template = await one.CreateDatabaseAsync("template", Token);
            await ReadAsync(template + ";Pooling=false", "create table t as select 'kept' as c; select 1");
            var copy = await one.CreateDatabaseAsync("copy", Token, "template");
            Assert.Equal("kept", await ReadAsync(copy, "select c from t"));
            await one.DropDatabaseAsync("copy", Token);
            var dropped = await Assert.ThrowsAsync<PostgresException>(() => ReadAsync(copy, "select 1"));
            Assert.Equal(PostgresErrorCodes.InvalidCatalogName, dropped.SqlState);
        }
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
        await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(port));
    }

    [Fact]
    public async Task Committed_rows_survive_an_immediate_stop()
    {
        await using var postgres = await PrivatePostgres.StartAsync(new PrivatePostgresOptions(_folder), Token);
        var port = postgres.Port;
        var database = await postgres.CreateDatabaseAsync("accounts", Token);
        await ReadAsync(database, "create table t as select 'kept' as c; select 1");

        await postgres.StopAsync(immediate: true);
        await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(port));
        await postgres.StartAgainAsync(Token);

        Assert.Equal(port, postgres.Port);
        NpgsqlConnection.ClearAllPools();
        Assert.Equal("kept", await ReadAsync(database, "select c from t"));
        Assert.Equal("on", await ReadAsync(database, "show fsync"));
    }

    private static async Task ConnectAsync(int port)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, Token);
    }

    private static async Task<string?> ReadAsync(string database, string query)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand(query);
        return (await command.ExecuteScalarAsync(Token))?.ToString();
    }
}
