using System.Net.Sockets;
using System.Text;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Hosting.Systemd;

/// <summary>What the service tells systemd, received as systemd does: on a datagram socket that the environment names.</summary>
[StartsPrograms]
public sealed class SystemdTests : IDisposable
{
    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "systemd");
    private readonly Socket _systemd = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    [Fact]
    public async Task The_service_says_that_it_is_ready_alive_and_stopping()
    {
        var socket = Path.Combine(_folder.Path, "notify");
        _systemd.Bind(new UnixDomainSocketEndPoint(socket));
        await using var bridge = BridgeProcess.Launch(new Uri($"http://127.0.0.1:{FreePort.Next()}"), new Dictionary<string, string>
        {
            ["NOTIFY_SOCKET"] = socket,
            ["WATCHDOG_USEC"] = "200000",
            ["Storage:ConnectionString"] = "Host=127.0.0.1;Port=1;Database=none;Username=none",
            ["Keycloak:Url"] = "http://127.0.0.1:1",
            ["Keycloak:ClientSecret"] = "secret",
            ["Keycloak:Realms:0:Name"] = "shop",
            ["Keycloak:Realms:0:WebhookSecrets:0"] = "secret",
        });

        await ReceiveAsync("READY=1");
        await ReceiveAsync("WATCHDOG=1");
        await ReceiveAsync("WATCHDOG=1");
        var stopped = bridge.TerminateAsync();
        await ReceiveAsync("STOPPING=1");
        Assert.True(await stopped);
    }

    public void Dispose()
    {
        _systemd.Dispose();
        _folder.Dispose();
    }

    private async Task ReceiveAsync(string notice)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(TimeSpan.FromMinutes(1));
        var buffer = new byte[4096];
        while (true)
        {
            var length = await _systemd.ReceiveAsync(buffer, timeout.Token);
            if (Encoding.UTF8.GetString(buffer, 0, length).Split('\n').Contains(notice))
                return;
        }
    }
}
