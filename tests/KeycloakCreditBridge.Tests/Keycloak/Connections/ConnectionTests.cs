using System.Net;
using System.Net.Sockets;
using System.Text;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Connections;

/// <summary>What the executable does and says between private CAs and proxies.</summary>
[StartsPrograms]
public sealed class ConnectionTests
{
    private const string Secret = "s3cret-zq7w";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_private_CA_is_named_with_the_variable_that_makes_it_known()
    {
        await using var keycloak = await TlsKeycloakFixture.StartAsync();

        Assert.Contains("set the variable SSL_CERT_FILE to a PEM file", await TokenLineAsync(keycloak.Url), StringComparison.Ordinal);
        Assert.StartsWith(
            "ok    token of shop", await TokenLineAsync(keycloak.Url, ("SSL_CERT_FILE", keycloak.CaFile)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_of_another_host_or_another_time_is_not_called_one_of_a_private_CA()
    {
        await using var other = await TlsKeycloakFixture.StartAsync("sso.example.com");
        await using var expired = await TlsKeycloakFixture.StartAsync(validFor: TimeSpan.FromHours(1));

        Assert.Contains(
            "certificate of another host name", await TokenLineAsync(other.Url, ("SSL_CERT_FILE", other.CaFile)), StringComparison.Ordinal);
        Assert.Contains(
            "certificate that has expired", await TokenLineAsync(expired.Url, ("SSL_CERT_FILE", expired.CaFile)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_speaks_no_TLS_is_named_as_such()
    {
        await using var plain = await ScriptedKeycloak.StartAsync();

        Assert.Contains(
            "names its https port", await TokenLineAsync(new Uri(plain.Url.Replace("http:", "https:", StringComparison.Ordinal))),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_that_does_not_answer_is_named_without_its_password()
    {
        var proxy = $"127.0.0.1:{FreePort.Next()}";

        var line = await TokenLineAsync(new Uri("https://sso.example.com"), ("HTTPS_PROXY", $"http://user:{Secret}@{proxy}"));

        Assert.Contains($"through the proxy http://{proxy}", line, StringComparison.Ordinal);
        Assert.Contains("add sso.example.com to NO_PROXY", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_that_refuses_is_named_without_its_password()
    {
        using var proxy = RecordingProxy.Start("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");

        var line = await TokenLineAsync(new Uri("https://sso.example.com"), ("HTTPS_PROXY", $"http://user:{Secret}@{proxy.Address}"));

        Assert.Contains($"through the proxy http://{proxy.Address} (it answered 407)", line, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP_PROXY")]
    [InlineData("http_proxy")]
    [InlineData("ALL_PROXY")]
    public async Task A_secret_never_reaches_a_proxy_in_plain_text(string variable)
    {
        await using var keycloak = await ScriptedKeycloak.StartAsync();
        keycloak.On("/users", Says(200, "[]"));
        using var proxy = RecordingProxy.Start("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");

        var line = await TokenLineAsync(new Uri(keycloak.Url), (variable, $"http://{proxy.Address}"));

        Assert.StartsWith("ok    token of shop", line, StringComparison.Ordinal);
        Assert.Equal("", proxy.Received);
    }

    private static async Task<string> TokenLineAsync(Uri keycloak, params (string Name, string Value)[] environment)
    {
        Dictionary<string, string?> settings = new(StringComparer.Ordinal)
        {
            ["Storage:ConnectionString"] = $"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y",
            ["Keycloak:Url"] = keycloak.ToString(),
            ["Keycloak:ClientSecret"] = Secret,
            ["Keycloak:Realms:0:Name"] = "shop",
        };
        foreach (var (name, value) in environment)
            settings[name] = value;
        var (_, output, error) = await CommandProcess.RunAsync(settings, "doctor");
        Assert.DoesNotContain(Secret, output + error, StringComparison.Ordinal);
        return Assert.Single(output.Split('\n'), line => line.Contains("  token of shop", StringComparison.Ordinal));
    }

    /// <summary>Answers each connection in the same way and keeps what it was sent.</summary>
    private sealed class RecordingProxy : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly StringBuilder _received = new();

        public string Address => $"{_listener.LocalEndpoint}";

        public string Received
        {
            get
            {
                lock (_received)
                    return _received.ToString();
            }
        }

        public static RecordingProxy Start(string answer)
        {
            var proxy = new RecordingProxy();
            proxy._listener.Start();
            _ = proxy.AcceptAsync(answer);
            return proxy;
        }

        public void Dispose() => _listener.Dispose();

        private async Task AcceptAsync(string answer)
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync(Token);
                    var stream = client.GetStream();
                    var buffer = new byte[65_536];
                    var read = await stream.ReadAsync(buffer, Token);
                    lock (_received)
                        _received.Append(Encoding.UTF8.GetString(buffer, 0, read));
                    await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), Token);
                }
            }
            catch (Exception exception) when (
                exception is SocketException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                // The test is over.
            }
        }
    }
}
