using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;

/// <summary>Takes mails by SMTP on a free port of 127.0.0.1 and shows the links in them.</summary>
public sealed partial class MailFixture : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentQueue<string> _mails = new();
    private readonly Task _listening;

    public MailFixture()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _listening = ListenAsync();
    }

    public int Port { get; }

    /// <summary>Waits for a mail to an address and returns the first link in it.</summary>
    public async Task<Uri> LinkToAsync(string address)
    {
        string? mail = null;
        await Eventually.TrueAsync(
            () => (mail = _mails.FirstOrDefault(found => found.Contains($"To: {address}", StringComparison.OrdinalIgnoreCase))) is not null,
            $"a mail to {address} comes");
        // Keycloak escapes the text of its mails as if they were HTML, and they come as quoted-printable.
        var text = HexCode().Replace(SoftBreak().Replace(mail!, ""), code => ((char)Convert.ToByte(code.Groups[1].Value, 16)).ToString());
        return new Uri(WebUtility.HtmlDecode(Link().Match(text).Value));
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task ListenAsync()
    {
        while (true)
            _ = TakeAsync(await _listener.AcceptTcpClientAsync(_stopping.Token));
    }

    // A sender that disconnects ends its own conversation only.
    private async Task TakeAsync(TcpClient connected)
    {
        using var client = connected;
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        await using var writer = new StreamWriter(client.GetStream(), Encoding.ASCII) { AutoFlush = true, NewLine = "\r\n" };
        await writer.WriteLineAsync("220 mail sink");
        while (await reader.ReadLineAsync(_stopping.Token) is { } line)
        {
            if (line.StartsWith("QUIT", StringComparison.OrdinalIgnoreCase))
            {
                await writer.WriteLineAsync("221 bye");
                return;
            }

            if (line.StartsWith("DATA", StringComparison.OrdinalIgnoreCase))
            {
                await writer.WriteLineAsync("354 go on");
                _mails.Enqueue(await ReadMailAsync(reader));
            }

            await writer.WriteLineAsync("250 fine");
        }
    }

    private async Task<string> ReadMailAsync(StreamReader reader)
    {
        var mail = new StringBuilder();
        while (await reader.ReadLineAsync(_stopping.Token) is { } line && line != ".")
            mail.Append(line).Append('\n');
        return mail.ToString();
    }

    [GeneratedRegex("=\\n")]
    private static partial Regex SoftBreak();

    [GeneratedRegex("=([0-9A-F]{2})")]
    private static partial Regex HexCode();

    [GeneratedRegex(@"http://\S+")]
    private static partial Regex Link();
}
