using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace KeycloakCreditBridge.Chaos.Proxies;

/// <summary>Passes bytes on to a port of this machine, cuts connections, or has nothing pass without telling either side.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpLink, bool> _links = new();
    private readonly int _target;
    private readonly ArmedFaults? _commitFaults;
    private readonly Task _accepting;
    private volatile TaskCompletionSource? _frozen;

    /// <param name="target">The port behind it.</param>
    /// <param name="commitFaults">For PostgreSQL: which answers to commits are lost.</param>
    public TcpProxy(int target, ArmedFaults? commitFaults = null)
    {
        (_target, _commitFaults) = (target, commitFaults);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Ends when bytes may pass.</summary>
    public Task PassableAsync() => _frozen?.Task ?? Task.CompletedTask;

    /// <summary>Cuts all connections and returns how many there were.</summary>
    public int CutAll()
    {
        var links = _links.Keys.ToArray();
        foreach (var link in links)
            link.Cut();
        return links.Length;
    }

    public void Freeze() => _frozen ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Thaw()
    {
        var frozen = _frozen;
        _frozen = null;
        frozen?.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        CutAll();
        Thaw();
        await _accepting;
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptSocketAsync());
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket caller)
    {
        var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        caller.NoDelay = true;
        var link = new TcpLink(caller, server, this, _commitFaults is null ? null : new PostgresDialogue(_commitFaults));
        _links[link] = true;
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _target);
            await link.RunAsync();
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Either side has left, or there is no server: the other side is cut too.
        }
        finally
        {
            link.Cut();
            _links.TryRemove(link, out _);
        }
    }
}

/// <summary>One connection through the proxy.</summary>
internal sealed class TcpLink(Socket caller, Socket server, TcpProxy proxy, PostgresDialogue? dialogue)
{
    private const int BufferSize = 64 * 1024;

    public async Task RunAsync() =>
        await await Task.WhenAny(PumpAsync(caller, server, isAnswer: false), PumpAsync(server, caller, isAnswer: true));

    /// <summary>Both sides see a reset.</summary>
    public void Cut()
    {
        foreach (var socket in (Socket[])[caller, server])
        {
            try
            {
                socket.LingerState = new LingerOption(true, 0);
                socket.Close();
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // It is closed already.
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool isAnswer)
    {
        var buffer = new byte[BufferSize];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and var length)
            {
                await proxy.PassableAsync();
                var bytes = buffer.AsMemory(0, length);
                if (!isAnswer)
                    dialogue?.Ask(bytes.Span);
                else if (dialogue?.IsLost(bytes.Span) == true)
                    break;
                while (bytes.Length > 0)
                    bytes = bytes[await to.SendAsync(bytes)..];
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Either side has left.
        }

        Cut();
    }
}
