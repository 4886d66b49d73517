using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Credits;

/// <summary>An emulated Keycloak with the realms demo and other, the whole bridge, and callers with tokens of their own.</summary>
internal sealed class CreditsFixture : IAsyncDisposable
{
    public const string Realm = "demo";
    public const string Other = "other";
    public const string Balance = "api/v1/credits/balance";
    public const string Allocate = "api/v1/credits/allocate";
    public const string Refund = "api/v1/credits/refund";
    public const string Adjust = "api/v1/credits/adjust";
    public const string Deduct = "api/v1/credits/deduct";
    public const string Track = "api/v1/credits/usage/track";
    public const string UserRead = "GET /admin/realms/{realm}/users/{id}";
    public const string Admin = "credits-admin";
    public const string Service = "credits-service";

    private readonly HttpClient _http = new();

    private CreditsFixture(EmulatedKeycloak keycloak, TestDatabase database, BridgeFixture bridge)
    {
        (Keycloak, Database, Bridge) = (keycloak, database, bridge);
    }

    public EmulatedKeycloak Keycloak { get; }

    public TestDatabase Database { get; }

    public BridgeFixture Bridge { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static Task<CreditsFixture> StartAsync(PostgresFixture postgres, params (string Key, string? Value)[] more) =>
        StartAsync(postgres, prepare: null, more);

    public static Task<CreditsFixture> StartAsync(
        PostgresFixture postgres, string? prepare, params (string Key, string? Value)[] more) =>
        StartAsync(postgres, prepare, new GrantClock(), more);

    /// <param name="postgres">The server.</param>
    /// <param name="prepare">A statement that the database gets before the bridge starts.</param>
    /// <param name="ends">The clock by which credits end.</param>
    /// <param name="more">Settings.</param>
    public static async Task<CreditsFixture> StartAsync(
        PostgresFixture postgres, string? prepare, GrantClock ends, params (string Key, string? Value)[] more)
    {
        var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), Token);
        using var admin = KeycloakAdmin.Of(keycloak);
        foreach (var realm in (string[])[Realm, Other])
            await admin.ImportRealmAsync(realm, DemoRealm.Json(BridgeFixture.Secret, webhooks: false), Token);
        var database = await postgres.CreateDatabaseAsync();
        if (prepare is not null)
            await database.ExecuteAsync(prepare);
        var settings = BridgeFixture.Settings(database.ConnectionString, keycloak.Url);
        settings["Keycloak:Realms:1:Name"] = Other;
        var bridge = await BridgeFixture.Build(settings, TimeProvider.System, ends, more).StartAsync();
        await bridge.Services.GetRequiredService<SchemaGate>().WaitAsync(Token);
        return new CreditsFixture(keycloak, database, bridge);
    }

    /// <summary>Claims as Keycloak makes them for a user of this id.</summary>
    public JsonObject Claims(string id, string[]? roles = null, string realm = Realm, string? username = null) => new()
    {
        ["iss"] = $"{Keycloak.Url}realms/{realm}",
        ["aud"] = new JsonArray("credit-bridge", "account"),
        ["iat"] = DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeSeconds(),
        ["exp"] = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds(),
        ["typ"] = "Bearer",
        ["sub"] = id,
        ["jti"] = $"onrtac:{Guid.NewGuid()}",
        ["preferred_username"] = username ?? $"name-of-{id}",
        ["resource_access"] = new JsonObject
        {
            ["credit-bridge"] = new JsonObject { ["roles"] = new JsonArray([.. (roles ?? []).Select(role => JsonValue.Create(role))]) },
        },
    };

    public string Sign(JsonObject claims, string realm = Realm) => Keycloak.Realm(realm).Sign(claims);

    public string TokenOf(string id, params string[] roles) => TokenOf(id, Realm, roles);

    /// <summary>A token of a user that Keycloak has: without one the account would be closed as deleted.</summary>
    public string TokenOf(string id, string realm, string[] roles)
    {
        Keycloak.Realm(realm).EnsureUser(new EmulatedUser(id, $"name-of-{id}"));
        return Sign(Claims(id, roles, realm), realm);
    }

    /// <summary>A user of the realm with an account with 5 credits.</summary>
    public async Task<string> AddUserAsync(string realm = Realm)
    {
        var user = new EmulatedUser(EmulatedUser.NewId(), $"user-{Guid.NewGuid():n}");
        Keycloak.Realm(realm).AddUser(user);
        var answer = await GetAsync(Balance, TokenOf(user.Id, realm, []));
        Assert.True(answer.Status == HttpStatusCode.OK,
            $"{answer.Body}\n{string.Join('\n', Bridge.Log.All.Where(line => line.StartsWith("Error", StringComparison.Ordinal)))}");
        await HintsDoneAsync();
        return user.Id;
    }

    /// <summary>
    /// Waits until every hint is evaluated, those of first reads among them, so that no reading changes an account any more.
    /// </summary>
    public Task HintsDoneAsync() => Eventually.TrueAsync(
        () => Database.ScalarAsync<bool>("select not exists (select from user_hints)"), "every hint is evaluated");

    public Task<ApiReply> GetAsync(string path, string? token) => SendAsync(HttpMethod.Get, path, token, null, null);

    public Task<ApiReply> PostAsync(string path, string? token, JsonObject body, string? key = null) =>
        SendAsync(HttpMethod.Post, path, token, body.ToJsonString(), key);

    /// <summary>Reports usage as a gateway with this key.</summary>
    public async Task ReportAsync(string gatewayKey, params JsonNode[] records)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Bridge.Url, "usage/litellm"));
        request.Headers.Add("x-api-key", gatewayKey);
        request.Content = new StringContent(new JsonArray(records).ToJsonString(), Encoding.UTF8, "application/json");
        using var answer = await _http.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    public async Task<ApiReply> SendAsync(HttpMethod method, string path, string? token, string? body, string? key)
    {
        using var request = new HttpRequestMessage(method, new Uri(Bridge.Url, path));
        if (token is not null)
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        if (key is not null)
            request.Headers.TryAddWithoutValidation(IdempotencyKey.Header, key);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        return await ApiReply.OfAsync(await _http.SendAsync(request, Token));
    }

    public Task<decimal> BalanceOfAsync(string account) =>
        Database.ScalarAsync<decimal>("select credits_remaining from user_credits where user_id = @Id", new { Id = account });

    public Task<string?> LedgerOfAsync(string account) => Database.ScalarAsync<string>(
        "select string_agg(transaction_type || ' ' || amount || ' ' || balance_after, ', ' order by created_at) from credit_transactions "
            + "where user_id = @Id",
        new { Id = account });

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Bridge.StopAsync();
        await Bridge.DisposeAsync();
        await Database.DisposeAsync();
        await Keycloak.DisposeAsync();
    }
}

/// <summary>An answer of the API, read to its end.</summary>
internal sealed record ApiReply(HttpStatusCode Status, string? MediaType, string Body, TimeSpan? RetryAfter, string Challenge,
    string? Cursor)
{
    public JsonNode Json => JsonNode.Parse(Body)!;

    /// <summary>The problem's detail.</summary>
    public string Detail
    {
        get
        {
            Assert.Equal("application/problem+json", MediaType);
            return (string)Json["detail"]!;
        }
    }

    public string? this[string field] => (string?)Json[field];

    public static async Task<ApiReply> OfAsync(HttpResponseMessage response)
    {
        using (response)
        {
            return new ApiReply(
                response.StatusCode,
                response.Content.Headers.ContentType?.MediaType,
                await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
                response.Headers.RetryAfter?.Delta,
                response.Headers.WwwAuthenticate.ToString(),
                response.Headers.TryGetValues("Next-Cursor", out var cursor) ? cursor.Single() : null);
        }
    }
}
