using System.Net;
using System.Net.Sockets;
using System.Text;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Faults.Commits;

/// <summary>
/// Stands between a bridge and PostgreSQL, and keeps back the answer to the commit of the transaction with a statement. PostgreSQL has
/// committed then, and the bridge never hears of it.
/// </summary>
internal sealed class CommitTrap : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _sprung = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly NpgsqlConnectionStringBuilder _server;
    private readonly string _statement;
    private readonly Task _accepting;

    /// <param name="connectionString">Of the server.</param>
    /// <param name="statement">A part of the statement, its words one space apart.</param>
    public CommitTrap(string connectionString, string statement)
    {
        (_server, _statement) = (new NpgsqlConnectionStringBuilder(connectionString), statement);
        _listener.Start();
        ConnectionString = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port,
        }.ConnectionString;
        _accepting = AcceptAsync();
    }

    /// <summary>For the bridge.</summary>
    public string ConnectionString { get; }

    /// <summary>Ends when the commit was kept back.</summary>
    public Task Sprung => _sprung.Task;

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        List<Task> links = [];
        try
        {
            while (true)
                links.Add(ServeAsync(await _listener.AcceptSocketAsync(_stop.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(links);
        }
    }

    private async Task ServeAsync(Socket bridge)
    {
        using var caller = bridge;
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        caller.NoDelay = true;
        var isAsked = false;
        try
        {
            await server.ConnectAsync(_server.Host!, _server.Port, _stop.Token);
            await await Task.WhenAny(
                PumpAsync(caller, server, asked => { isAsked |= Says(asked); return true; }),
                PumpAsync(server, caller, answer => !(isAsked && IsOver(answer) && _sprung.TrySetResult())));
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            // Either side has left.
        }
    }

    // The bytes that a reading returns are passed on unless they are kept; then nothing passes any more.
    private async Task PumpAsync(Socket from, Socket to, Func<ReadOnlyMemory<byte>, bool> passes)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReceiveAsync(buffer, _stop.Token) is > 0 and var length)
        {
            if (!passes(buffer.AsMemory(0, length)))
                await Task.Delay(Timeout.Infinite, _stop.Token);
            for (var rest = buffer.AsMemory(0, length); rest.Length > 0;)
                rest = rest[await to.SendAsync(rest, _stop.Token)..];
        }
    }

    // Statements are shorter than what one reading takes.
    private bool Says(ReadOnlyMemory<byte> asked) =>
        string.Join(' ', Encoding.Latin1.GetString(asked.Span).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            .Contains(_statement, StringComparison.Ordinal);

    // ReadyForQuery outside of a transaction.
    private static bool IsOver(ReadOnlyMemory<byte> answer) => answer.Span.EndsWith("Z\0\0\0\u0005I"u8);
}
