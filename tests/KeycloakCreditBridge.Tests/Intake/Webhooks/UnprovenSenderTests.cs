using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

/// <summary>What a sender costs before it has proven anything.</summary>
public sealed class UnprovenSenderTests(PostgresFixture postgres)
{
    private const int Senders = 400;

    // Their bodies are 400 MB. With little processor time a collector lets the heap grow by most of that before it begins.
    private const int MegabytesAllowed = 390;

    // A well-formed signature that is wrong, and nearly a megabyte of a body that is longer.
    private static readonly byte[] LongBody = Encoding.ASCII.GetBytes(
        "POST /webhooks/keycloak/demo HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n"
        + $"X-Keycloak-Signature: {new string('0', 64)}\r\nTransfer-Encoding: chunked\r\n\r\nF4240\r\n{new string('x', 1_000_000)}");

    private static readonly string WrongSignature = new('0', 64);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [StartsPrograms, Fact]
    public async Task Hundreds_of_silent_senders_of_long_bodies_hold_little_memory_and_webhooks_are_taken_meanwhile()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        var settings = BridgeFixture.Settings(database.ConnectionString, new Uri("http://127.0.0.1:9"))
            .Where(setting => setting.Value is not null && setting.Key != "Urls")
            .ToDictionary(setting => setting.Key, setting => setting.Value!, StringComparer.Ordinal);
        settings["Keycloak:Realms:0:WebhookSecrets:0"] = Deliveries.Secret;
        await using var bridge = BridgeProcess.Launch(url, settings);
        await Eventually.TrueAsync(async () => await StatusAsync(url, "first") == HttpStatusCode.NoContent, "the bridge takes webhooks");
        await DeliverManyAsync(url);
        var before = bridge.Memory.Resident;

        var silent = await Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => HoldAsync(url)));
        await DeliverManyAsync(url);

        Assert.InRange(bridge.Memory.Resident - before, -1_000, MegabytesAllowed);
        Assert.DoesNotContain("   at ", bridge.Log, StringComparison.Ordinal);
        foreach (var client in silent)
            client.Dispose();
    }

    [Theory]
    [InlineData("Hmac", "X-Other: 1", 401)]
    [InlineData("Hmac", "X-Keycloak-Signature: no-hexadecimal", 401)]
    [InlineData("Hmac", "X-Keycloak-Signature: {0}\r\nX-Keycloak-Signature: {0}", 401)]
    [InlineData("Hmac", "X-Keycloak-Signature: sha256={0},no-hexadecimal", 401)]
    [InlineData("HmacSha1", "X-Keycloak-Signature: {0}", 401)]
    [InlineData("Basic", "Authorization: Basic dXNlcjp3cm9uZw==", 401)]
    [InlineData("Basic", "Authorization: Bearer x", 401)]
    [InlineData("SharedHeader", "X-Webhook-Secret: wrong", 401)]
    [InlineData("StandardWebhooks", "webhook-id: a", 401)]
    [InlineData("StandardWebhooks", "webhook-id: a\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,AAAA", 401)]
    [InlineData("RealmToken", "Authorization: Bearer a.b.c", 401)]
    [InlineData("Hmac", "X-Keycloak-Signature: {0}\r\nContent-Encoding: gzip", 415)]
    public async Task What_the_headers_prove_to_be_wrong_is_refused_before_the_body(string scheme, string headers, int status)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(
            database.ConnectionString, ("Keycloak:Realms:0:WebhookAuthentication", scheme),
            ("Keycloak:Realms:0:WebhookAudience", scheme == "RealmToken" ? "https://bridge.example.com" : null),
            ("Keycloak:Realms:0:WebhookSecrets:0", scheme switch
            {
                "RealmToken" => null,
                "StandardWebhooks" => "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
                "Basic" => "user:password",
                _ => Deliveries.Secret,
            }));
        await host.SchemaReadyAsync();

        using var client = await ConnectAsync(host.Url);
        await WriteAsync(client, Head("webhooks/keycloak/demo", string.Format(CultureInfo.InvariantCulture, headers, WrongSignature)));

        Assert.StartsWith($"HTTP/1.1 {status} ", await StatusLineAsync(client), StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_every_room_a_caller_without_proof_is_refused_before_the_body_and_a_body_that_does_not_come_is_given_up()
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Metering:ApiKeys:0", MeteringFixture.Key), ("Keycloak:Realms:0:WebhookSecrets:0", Deliveries.Secret),
            ("Api:BodyTimeout", "00:00:01"));
        foreach (var (path, proof) in ((string, string)[])
            [
                ("webhooks/keycloak/demo", $"X-Keycloak-Signature: {WrongSignature}"),
                ("usage/litellm", $"x-api-key: {MeteringFixture.Key}"),
                ("beta/litellm_basic_guardrail_api", $"Authorization: Bearer {MeteringFixture.Key}"),
                (CreditsFixture.Track, $"Authorization: Bearer {fixture.TokenOf("u1")}"),
            ])
        {
            using var unknown = await ConnectAsync(fixture.Bridge.Url);
            await WriteAsync(unknown, Head(path, "X-Other: 1"));
            Assert.StartsWith("HTTP/1.1 401 ", await StatusLineAsync(unknown), StringComparison.Ordinal);

            using var silent = await ConnectAsync(fixture.Bridge.Url);
            await WriteAsync(silent, Head(path, proof) + "{\"half");
            Assert.StartsWith("HTTP/1.1 408 ", await StatusLineAsync(silent), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Connections_beyond_the_bound_are_closed_and_those_within_are_served()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Api:MaxConnections", "16"));
        using var first = await ConnectAsync(fixture.Bridge.Url);
        List<TcpClient> more = [];
        for (var number = 0; number < 20; number++)
            more.Add(await ConnectAsync(fixture.Bridge.Url));

        // The last ones are closed without an answer.
        Assert.Equal(0, await ReadAsync(more[^1]));
        Assert.StartsWith("HTTP/1.1 200 ", await AskAsync(first), StringComparison.Ordinal);
        more.ForEach(client => client.Dispose());
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("127.0.0.1", true)]
    public async Task One_address_fills_a_quarter_of_the_connections_unless_it_is_a_proxy_and_another_one_is_served(
        string? proxy, bool mayHaveMore)
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Api:MaxConnections", "64"), proxy is null ? ("Logs:Format", "Text") : ("Api:KnownProxies:0", proxy));
        List<TcpClient> open = [];
        for (var number = 0; number < 40; number++)
            open.Add(await ConnectAsync(fixture.Bridge.Url));

        using var other = new TcpClient(new IPEndPoint(IPAddress.Parse("127.0.0.2"), 0));
        await other.ConnectAsync(fixture.Bridge.Url.Host, fixture.Bridge.Url.Port, Token);
        Assert.StartsWith("HTTP/1.1 200 ", await AskAsync(other), StringComparison.Ordinal);
        if (mayHaveMore)
            Assert.StartsWith("HTTP/1.1 200 ", await AskAsync(open[^1]), StringComparison.Ordinal);
        else
            Assert.Equal(0, await ReadAsync(open[^1]));
        open.ForEach(client => client.Dispose());
        await Eventually.TrueAsync(
            async () =>
            {
                using var again = await ConnectAsync(fixture.Bridge.Url);
                return (await AskAsync(again)).Length > 0;
            },
            "the address is served again");
    }

    private static async Task<string> AskAsync(TcpClient client)
    {
        try
        {
            await WriteAsync(client, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
            return await StatusLineAsync(client);
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static string Head(string path, string headers) =>
        $"POST /{path} HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n{headers}\r\n\r\n";

    private static async Task<TcpClient> HoldAsync(Uri url)
    {
        var client = await ConnectAsync(url);
        try
        {
            await client.GetStream().WriteAsync(LongBody, Token);
        }
        catch (IOException)
        {
            // It had to give way.
        }

        return client;
    }

    private static async Task DeliverManyAsync(Uri url)
    {
        var statuses = await Task.WhenAll(Enumerable.Range(0, 100).Select(number => StatusAsync(url, $"u{number}")));
        Assert.All(statuses, status => Assert.Equal(HttpStatusCode.NoContent, status));
    }

    private static async Task<HttpStatusCode?> StatusAsync(Uri url, string user)
    {
        using var http = new HttpClient();
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent(user));
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        content.Headers.Add("X-Keycloak-Signature", Deliveries.Sign(body));
        try
        {
            using var answer = await http.PostAsync(new Uri(url, "webhooks/keycloak/demo"), content, Token);
            return answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static async Task<TcpClient> ConnectAsync(Uri url)
    {
        var client = new TcpClient();
        await client.ConnectAsync(url.Host, url.Port, Token);
        return client;
    }

    private static async Task WriteAsync(TcpClient client, string text) =>
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text), Token);

    private static async Task<int> ReadAsync(TcpClient client)
    {
        try
        {
            return await client.GetStream().ReadAsync(new byte[1], Token);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static async Task<string> StatusLineAsync(TcpClient client)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(Token);
        timeout.CancelAfter(TimeSpan.FromMinutes(1));
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII, false, 1024, leaveOpen: true);
        return await reader.ReadLineAsync(timeout.Token) ?? "";
    }
}
