using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Configuration;

/// <summary>The executable in a folder with a settings' file, an emulated Keycloak, and callers with tokens of their own.</summary>
internal sealed class ExecutableFixture : IAsyncDisposable
{
    private const string Realm = "demo";

    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "executable");
    private readonly HttpClient _http = new();
    private readonly Uri _url = new($"http://127.0.0.1:{FreePort.Next()}");

    private ExecutableFixture(TestDatabase database, EmulatedKeycloak keycloak)
    {
        (Database, Keycloak) = (database, keycloak);
        Settings = BridgeFixture.Settings(database.ConnectionString, keycloak.Url);
        Settings["Urls"] = $"{_url}";
    }

    public TestDatabase Database { get; }

    public EmulatedKeycloak Keycloak { get; }

    /// <summary>Variables of the executable.</summary>
    public Dictionary<string, string?> Settings { get; }

    public Uri Url => _url;

    public CommandProcess Bridge { get; private set; } = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<ExecutableFixture> CreateAsync(PostgresFixture postgres)
    {
        var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), Token);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(Realm, DemoRealm.Json(BridgeFixture.Secret, webhooks: false), Token);
        return new ExecutableFixture(await postgres.CreateDatabaseAsync(), keycloak);
    }

    /// <summary>Starts it and waits until it is ready.</summary>
    public async Task StartAsync()
    {
        Bridge = CommandProcess.StartIn(_folder.Path, Settings, "run");
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    using var ready = await _http.GetAsync(new Uri(_url, "health/ready"), Token);
                    return ready.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "the bridge is ready");
    }

    public void Write(string settings) => File.WriteAllText(Path.Combine(_folder.Path, "appsettings.json"), settings);

    /// <summary>Whether a line of its log contains this text.</summary>
    public bool Says(string text) => Bridge.Output.Contains(text, StringComparison.Ordinal);

    /// <summary>A new user of Keycloak, of which no event tells.</summary>
    public string AddUser(string? plan = null)
    {
        var id = EmulatedUser.NewId();
        Keycloak.Realm(Realm).AddUser(new EmulatedUser(id, $"name-of-{id}")
        {
            Attributes = plan is null ? null : new Dictionary<string, IReadOnlyList<string>> { ["plan"] = [plan] },
            CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
        });
        return id;
    }

    public string TokenOf(string id, params string[] roles) => Keycloak.Realm(Realm).Sign(new JsonObject
    {
        ["iss"] = $"{Keycloak.Url}realms/{Realm}",
        ["aud"] = new JsonArray("credit-bridge"),
        ["iat"] = DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeSeconds(),
        ["exp"] = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds(),
        ["typ"] = "Bearer",
        ["sub"] = id,
        ["jti"] = $"onrtac:{Guid.NewGuid()}",
        ["preferred_username"] = $"name-of-{id}",
        ["resource_access"] = new JsonObject
        {
            ["credit-bridge"] = new JsonObject { ["roles"] = new JsonArray([.. roles.Select(role => JsonValue.Create(role))]) },
        },
    });

    public Task<string> GetAsync(string path, string? token = null) => SendAsync(HttpMethod.Get, path, null, Bearer(token));

    public Task<string> PostAsync(string path, string token, JsonNode body) =>
        SendAsync(HttpMethod.Post, path, body.ToJsonString(), Bearer(token));

    /// <summary>Sends a body and returns the answer's; any other answer than 2xx fails the test.</summary>
    public async Task<string> SendAsync(HttpMethod method, string path, string? body, Action<HttpRequestHeaders> prove)
    {
        using var request = new HttpRequestMessage(method, new Uri(_url, path));
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        prove(request.Headers);
        using var response = await _http.SendAsync(request, Token);
        var text = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {response.StatusCode} {text}");
        return text;
    }

    public async ValueTask DisposeAsync()
    {
        Bridge?.Dispose();
        _http.Dispose();
        await Keycloak.DisposeAsync();
        await Database.DisposeAsync();
        _folder.Dispose();
    }

    private static Action<HttpRequestHeaders> Bearer(string? token) => headers =>
        headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
}
