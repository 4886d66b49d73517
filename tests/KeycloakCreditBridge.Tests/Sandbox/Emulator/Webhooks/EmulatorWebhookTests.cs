using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using KeycloakCreditBridge.Sandbox.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using static KeycloakCreditBridge.Tests.Sandbox.Emulator.EmulatorFixture;

namespace KeycloakCreditBridge.Tests.Sandbox.Emulator.Webhooks;

public sealed class EmulatorWebhookTests
{
    private const string Webhooks = $"realms/{Realm}/webhooks";
    private const string Secret = "s3cret-of-the-webhook";

    [Fact]
    public async Task A_registration_is_delivered_signed_over_its_exact_bytes()
    {
        await using var emulator = await StartAsync();
        await using var receiver = await Receiver.StartAsync();
        await SubscribeAsync(emulator, receiver, "access.REGISTER");
        await emulator.RegisterAsync("ada");
        var (signature, body, _) = await receiver.NextAsync();
        Assert.Equal(Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), body)), signature);
        var json = JsonNode.Parse(body)!.AsObject();
        Assert.Equal(["id", "time", "realmId", "realmName", "uid", "authDetails", "details", "type"], json.Select(field => field.Key));
        Assert.Equal(("access.REGISTER", Realm), (Text(json, "type"), Text(json, "realmName")));
        Assert.Equal((Realm, "ada"), (Text(json, "authDetails", "realmId"), Text(json, "authDetails", "username")));
        Assert.Equal(Text(json, "details", "code_id"), Text(json, "authDetails", "sessionId"));
        var stored = await emulator.ListAsync($"{Events}?type=REGISTER", await emulator.BridgeTokenAsync());
        Assert.Equal((string?)stored[0]!["id"], Text(json, "id"));
    }

    [Fact]
    public async Task An_administrators_write_names_the_affected_user()
    {
        await using var emulator = await StartAsync();
        await using var receiver = await Receiver.StartAsync();
        await SubscribeAsync(emulator, receiver, "admin.USER-(CREATE|DELETE)");
        var id = await emulator.CreateAsync("ada");
        var created = JsonNode.Parse((await receiver.NextAsync()).Body)!;
        Assert.Equal(("admin.USER-CREATE", id), (Text(created, "type"), Text(created, "resourceId")));
        Assert.Equal("master", Text(created, "authDetails", "realmId"));
        Assert.Equal((id, "ada"), (Text(created, "details", "userId"), Text(created, "details", "username")));
        Assert.Equal("""{"enabled":true,"username":"ada"}""", Text(created, "representation"));
        await emulator.SendAsync("DELETE", $"{Users}/{id}", await emulator.AdminTokenAsync());
        var deleted = JsonNode.Parse((await receiver.NextAsync()).Body)!;
        Assert.Equal($$"""{"userId":"{{id}}"}""", deleted["details"]!.ToJsonString());
    }

    [Fact]
    public async Task A_refused_delivery_is_repeated_unchanged()
    {
        await using var emulator = await StartAsync();
        await using var receiver = await Receiver.StartAsync(HttpStatusCode.ServiceUnavailable);
        await SubscribeAsync(emulator, receiver, "access.LOGIN");
        var id = await emulator.CreateAsync("ada");
        await emulator.Server.Realm(Realm).LoginAsync(id);
        Assert.Equal((await receiver.NextAsync()).Body, (await receiver.NextAsync()).Body);
    }

    [Fact]
    public async Task A_closed_port_loses_the_event()
    {
        await using var emulator = await StartAsync();
        var port = FreePort.Next();
        await SubscribeAsync(emulator, new Uri($"http://127.0.0.1:{port}/"), "access.*");
        var realm = emulator.Server.Realm(Realm);
        var id = await emulator.CreateAsync("ada");
        await realm.LoginAsync(id);
        await emulator.Server.WebhooksIdleAsync(TestContext.Current.CancellationToken);
        await using var receiver = await Receiver.StartAsync(port: port);
        await SubscribeAsync(emulator, receiver, "access.DELETE_ACCOUNT");
        await realm.DeleteAccountAsync(id);
        Assert.Equal("access.DELETE_ACCOUNT", (string?)JsonNode.Parse((await receiver.NextAsync()).Body)!["type"]);
    }

    [Fact]
    public async Task Webhooks_are_stored_and_their_secrets_are_read_separately()
    {
        await using var emulator = await StartAsync();
        var admin = await emulator.AdminTokenAsync();
        var id = await SubscribeAsync(emulator, new Uri("http://127.0.0.1:9/"), "*");
        var bridge = await emulator.BridgeTokenAsync();
        var listed = Assert.Single(await emulator.ListAsync(Webhooks, bridge))!;
        Assert.Equal((id, null), (Text(listed, "id"), Text(listed, "secret")));
        Assert.Equal(Secret, (string?)(await emulator.SendAsync("GET", $"{Webhooks}/{id}/secret", bridge)).Json["value"]);
        Assert.Equal(HttpStatusCode.Forbidden, await emulator.StatusAsync("DELETE", $"{Webhooks}/{id}", bridge));
        Assert.Equal(HttpStatusCode.NoContent, await emulator.StatusAsync("DELETE", $"{Webhooks}/{id}", admin));
        Assert.Equal(HttpStatusCode.NotFound, await emulator.StatusAsync("GET", $"{Webhooks}/{id}", admin));
    }

    private static Task<string> SubscribeAsync(EmulatorFixture emulator, Receiver receiver, string type) =>
        SubscribeAsync(emulator, receiver.Url, type);

    private static async Task<string> SubscribeAsync(EmulatorFixture emulator, Uri url, string type)
    {
        var reply = await emulator.SendAsync("POST", Webhooks, await emulator.AdminTokenAsync(), new JsonObject
        {
            ["enabled"] = "true",
            ["url"] = url.ToString(),
            ["secret"] = Secret,
            ["algorithm"] = "HmacSHA256",
            ["eventTypes"] = new JsonArray(type),
        });
        Assert.Equal(HttpStatusCode.Created, reply.Status);
        return reply.Location!.Segments[^1];
    }

    /// <summary>Takes deliveries; the first one may be refused.</summary>
    private sealed class Receiver : IAsyncDisposable
    {
        private readonly Channel<Delivery> _deliveries = Channel.CreateUnbounded<Delivery>();
        private readonly WebApplication _app;

        private Receiver(HttpStatusCode? first, int port)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
            _app = builder.Build();
            _app.MapPost("/", async (HttpContext context) =>
            {
                using var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body, context.RequestAborted);
                context.Response.StatusCode = (int)(first ?? HttpStatusCode.NoContent);
                first = null;
                _deliveries.Writer.TryWrite(new Delivery(
                    context.Request.Headers["X-Keycloak-Signature"].ToString(), body.ToArray(), context.Request.ContentType));
            });
        }

        public Uri Url => new(_app.Urls.First());

        public static async Task<Receiver> StartAsync(HttpStatusCode? first = null, int port = 0)
        {
            var receiver = new Receiver(first, port);
            await receiver._app.StartAsync(TestContext.Current.CancellationToken);
            return receiver;
        }

        public async Task<Delivery> NextAsync()
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            timeout.CancelAfter(TimeSpan.FromMinutes(1));
            return await _deliveries.Reader.ReadAsync(timeout.Token);
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }

    private sealed record Delivery(string Signature, byte[] Body, string? ContentType);
}
