using System.Diagnostics;
using System.Net;
using System.Text;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// Signed webhooks of distinct users as fast as the bridge takes them, against an endpoint that reads the body and answers 204, and one
/// that inserts one hint a request. Nothing is provisioned at the same time: Keycloak does not answer.
/// </summary>
internal static class EndpointBenchmark
{
    private const string Realm = "demo";
    private const string Secret = "a-secret-of-the-benchmark";
    private const int Senders = 64;

    private const string InsertSql =
        """
        insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
        values ('demo', $1, nextval('user_hints_version'), 'webhook', 'REGISTER', 'changed', now(), now())
        """;

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan duration, int rounds)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await using var reference = await BenchmarkDatabase.CreateAsync(server);
        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(SendsWebhooks: false), CancellationToken.None);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(Realm, DemoRealm.Json(Secret, webhooks: false), CancellationToken.None);
        var (ours, bare, single) = (NewUrl(), NewUrl(), NewUrl());
        await using var bridge = await BridgeHost.StartReadyAsync(ours, Settings(database, keycloak), CancellationToken.None);
        keycloak.Faults.Hang("/admin/realms/*/users/*", int.MaxValue);
        await using var bareEndpoint = await StartAsync(bare, _ => Task.CompletedTask);
        await using var singleEndpoint = await StartAsync(single, body => InsertAsync(reference.DataSource, body));

        var (byBridge, byBare, bySingle) = (new Rates("requests"), new Rates("requests"), new Rates("requests"));
        await SendAsync(ours, TimeSpan.FromSeconds(2));
        for (var round = 0; round < rounds; round++)
        {
            byBare.Add(await SendAsync(bare, duration));
            bySingle.Add(await SendAsync(single, duration));
            byBridge.Add(await SendAsync(ours, duration));
        }

        var work = $"webhooks of distinct users, {Senders} senders";
        return
        [
            new Result(work, byBridge.ToString(), $"one hint inserted a request: {bySingle}", byBridge.Best / bySingle.Best),
            new Result("the same", byBridge.ToString(), $"body read, 204: {byBare}", byBridge.Best / byBare.Best),
        ];
    }

    private static Uri NewUrl() => new($"http://127.0.0.1:{FreePort.Next()}/");

    private static Dictionary<string, string?> Settings(BenchmarkDatabase database, EmulatedKeycloak keycloak) =>
        new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = database.ConnectionString,
        ["Keycloak:Url"] = keycloak.Url.ToString(),
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Realms:0:WebhookSecrets:0"] = Secret,
        ["Intake:Poll:Enabled"] = "false",
        ["Reconciliation:Enabled"] = "false",
        ["Serilog:MinimumLevel:Default"] = "Fatal",
        ["Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime"] = "Fatal",
    };

    private static async Task<WebApplication> StartAsync(Uri url, Func<byte[], Task> take)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url.ToString());
        var app = builder.Build();
        app.MapPost("/webhooks/keycloak/{realm}", async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            await take(body.ToArray());
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        });
        await app.StartAsync();
        return app;
    }

    // The id stands at the end of every body; nothing else of it matters here.
    private static async Task InsertAsync(NpgsqlDataSource database, byte[] body)
    {
        await using var connection = await database.OpenConnectionAsync();
        await using var insert = new NpgsqlCommand(InsertSql, connection)
        {
            Parameters = { new() { Value = Encoding.ASCII.GetString(body[^39..^3]) } },
        };
        await insert.PrepareAsync();
        await insert.ExecuteNonQueryAsync();
    }

    private static async Task<double> SendAsync(Uri endpoint, TimeSpan duration)
    {
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Senders, UseProxy = false });
        var address = new Uri(endpoint, $"webhooks/keycloak/{Realm}");
        var count = 0L;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                await DeliverAsync(http, address);
                Interlocked.Increment(ref count);
            }
        })));
        return count / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task DeliverAsync(HttpClient http, Uri address)
    {
        using var content = SignedDelivery.Of(Realm, Secret, Guid.NewGuid().ToString());
        using var answer = await http.PostAsync(address, content);
        if (answer.StatusCode != HttpStatusCode.NoContent)
            throw new InvalidOperationException($"{address} answered {(int)answer.StatusCode}.");
    }
}
