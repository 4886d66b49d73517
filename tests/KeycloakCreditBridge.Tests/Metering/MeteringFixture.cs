using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Metering;

/// <summary>A bridge whose gate and meter a gateway talks to, and an emulated Keycloak.</summary>
internal sealed class MeteringFixture : IAsyncDisposable
{
    public const string Key = "key-of-the-gateway-0123456789";

    private readonly HttpClient _http = new();

    private MeteringFixture(TestDatabase database, EmulatorFixture keycloak, BridgeFixture bridge) =>
        (Database, Keycloak, Bridge) = (database, keycloak, bridge);

    public TestDatabase Database { get; }

    public EmulatorFixture Keycloak { get; }

    public BridgeFixture Bridge { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<MeteringFixture> StartAsync(PostgresFixture postgres, params (string Key, string? Value)[] settings) =>
        await StartAsync(await postgres.CreateDatabaseAsync(), settings);

    /// <summary>On a database that the test prepared; the fixture disposes of it.</summary>
    public static async Task<MeteringFixture> StartAsync(TestDatabase database, params (string Key, string? Value)[] settings)
    {
        var keycloak = await EmulatorFixture.StartAsync();
        // A test that pauses must not run out of the gate's budget.
        var bridge = await BridgeFixture.Build(
            database, keycloak, [("Metering:ApiKeys:0", Key), ("Metering:Gate:Budget", "00:00:30"), .. settings]).StartAsync();
        // Before it has checked its database the gate opens nothing.
        var gate = bridge.Services.GetRequiredService<SchemaGate>();
        await Eventually.TrueAsync(() => gate.IsOpen || gate.Problem is not null, "the bridge has checked its database");
        return new MeteringFixture(database, keycloak, bridge);
    }

    /// <summary>Creates a Keycloak user with an account.</summary>
    public async Task<string> AddUserAsync(string name)
    {
        var id = await Keycloak.CreateAsync(name);
        await AskAsync(id);
        return id;
    }

    /// <summary>Asks the gate about a user.</summary>
    public async Task<JsonNode> AskAsync(string? userId)
    {
        var (status, answer) = await PostAsync(
            "beta/litellm_basic_guardrail_api",
            new JsonObject
            {
                ["input_type"] = "request",
                ["request_data"] = new JsonObject { ["user_api_key_user_id"] = userId },
            }.ToJsonString());
        Assert.Equal(HttpStatusCode.OK, status);
        return JsonNode.Parse(answer)!;
    }

    /// <summary>Asserts that repeated questions about an unknown user rarely reach Keycloak.</summary>
    public async Task AssertRarelyReadFromKeycloakAsync(string id)
    {
        var before = Keycloak.Server.Requests[CreditsFixture.UserRead];
        foreach (var _ in Enumerable.Range(0, 20))
            Assert.StartsWith("You have no credit account.", (string?)(await AskAsync(id))["blocked_reason"], StringComparison.Ordinal);
        // What Keycloak said is forgotten after some seconds, which twenty questions may take.
        Assert.InRange(Keycloak.Server.Requests[CreditsFixture.UserRead] - before, 0, 5);
    }

    /// <summary>Reports usage and waits until each record in it is charged or refused.</summary>
    public async Task ReportAsync(params JsonObject[] records)
    {
        var (status, _) = await PostAsync("usage/litellm", new JsonArray([.. records.Select(record => record.DeepClone())]).ToJsonString());
        Assert.Equal(HttpStatusCode.OK, status);
        await ProcessedAsync();
    }

    public Task ProcessedAsync() => Eventually.TrueAsync(
        async () => await Database.ScalarAsync<int>("select count(*)::int from usage_batches") == 0, "all reports are processed");

    public async Task<(HttpStatusCode Status, string Answer)> PostAsync(
        string path, string body, string? key = Key, string header = "x-api-key")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Bridge.Url, path));
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        if (key is not null)
            request.Headers.TryAddWithoutValidation(header, key);
        using var answer = await _http.SendAsync(request, Token);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    public Task<decimal> BalanceAsync(string userId) =>
        Database.ScalarAsync<decimal>("select credits_remaining from user_credits where user_id = @userId", new { userId });

    public Task<IReadOnlyList<decimal>> ChargesAsync(string userId) => Database.QueryAsync<decimal>(
        "select -amount from credit_transactions where user_id = @userId and transaction_type = 'usage' order by metadata->>'record_id'",
        new { userId });

    public Task<int> RefusalsAsync() => Database.ScalarAsync<int>("select count(*)::int from usage_refusals");

    public static JsonObject Record(string id, string userId, decimal cost, int tokens = 100) => new()
    {
        ["id"] = id,
        ["status"] = "success",
        ["response_cost"] = cost,
        ["total_tokens"] = tokens,
        ["model"] = "gpt-4o-mini",
        ["custom_llm_provider"] = "openai",
        ["cache_hit"] = false,
        ["metadata"] = new JsonObject { ["user_api_key_user_id"] = userId },
    };

    /// <summary>A record as newer releases report it. It ends 1.5 s after its start.</summary>
    public static JsonObject Call(
        string? id, string? callId, string userId, decimal start, decimal cost = 1m, string callType = "acompletion", int tokens = 100)
    {
        var record = Record(id ?? "", userId, cost, tokens);
        record["call_type"] = callType;
        record["startTime"] = start;
        record["endTime"] = start + 1.5m;
        if (callId is not null)
            record["litellm_call_id"] = callId;
        return record;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Bridge.StopAsync();
        await Bridge.DisposeAsync();
        await Keycloak.DisposeAsync();
        await Database.DisposeAsync();
    }
}
