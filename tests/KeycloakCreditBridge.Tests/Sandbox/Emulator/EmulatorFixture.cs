using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Emulator;

namespace KeycloakCreditBridge.Tests.Sandbox.Emulator;

/// <summary>An emulator with one realm, and the least HTTP that its tests need.</summary>
internal sealed partial class EmulatorFixture : IAsyncDisposable
{
    public const string Realm = "demo";
    public const string Users = $"admin/realms/{Realm}/users";
    public const string Events = $"admin/realms/{Realm}/events";
    public const string AdminEvents = $"admin/realms/{Realm}/admin-events";

    private readonly SocketsHttpHandler _handler = new() { UseCookies = false, AllowAutoRedirect = false, UseProxy = false };
    private readonly HttpClient _http;

    private EmulatorFixture(EmulatedKeycloak server)
    {
        Server = server;
        _http = new HttpClient(_handler);
    }

    public EmulatedKeycloak Server { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<EmulatorFixture> StartAsync(ServerModel model = ServerModel.V26_7)
    {
        var emulator = new EmulatorFixture(await EmulatedKeycloak.StartAsync(new EmulatorOptions(model), Token));
        await emulator.ImportAsync(Realm, new JsonObject
        {
            ["clients"] = new JsonArray(Client("credit-bridge"), Client("query-only"), Application()),
            ["users"] = new JsonArray(
                ServiceAccount("credit-bridge", "view-events", "view-users"), ServiceAccount("query-only", "query-users")),
        });
        return emulator;
    }

    /// <summary>Imports a realm that allows registration and stores and sends every event.</summary>
    public async Task ImportAsync(string realm, JsonObject file)
    {
        file["realm"] = realm;
        file["registrationAllowed"] = true;
        file["eventsEnabled"] = true;
        file["adminEventsEnabled"] = true;
        file["adminEventsDetailsEnabled"] = true;
        file["eventsListeners"] = new JsonArray("jboss-logging", "ext-event-webhook");
        Assert.Equal(HttpStatusCode.Created, (await SendAsync("POST", "admin/realms", await AdminTokenAsync(), file)).Status);
    }

    public async Task<string> AdminTokenAsync() => await TokenAsync("master", new()
    {
        ["grant_type"] = "password", ["client_id"] = "admin-cli", ["username"] = Server.AdminUser, ["password"] = Server.AdminPassword,
    });

    public Task<string> BridgeTokenAsync(string client = "credit-bridge") => TokenAsync(Realm, Credentials(client, "s3cret"));

    public static Dictionary<string, string> Credentials(string client, string secret) =>
        new() { ["grant_type"] = "client_credentials", ["client_id"] = client, ["client_secret"] = secret };

    public async Task<Reply> PostFormAsync(string address, Dictionary<string, string> form, string? cookie = null)
    {
        using var content = new FormUrlEncodedContent(form);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Server.Url, address)) { Content = content };
        if (cookie is not null)
            request.Headers.Add("Cookie", cookie);
        return await Reply.OfAsync(await _http.SendAsync(request, Token), Token);
    }

    public async Task<Reply> SendAsync(string method, string address, string? token, JsonNode? body = null, string? cookie = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(Server.Url, address));
        if (token is not null)
            request.Headers.Add("Authorization", $"Bearer {token}");
        if (cookie is not null)
            request.Headers.Add("Cookie", cookie);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        return await Reply.OfAsync(await _http.SendAsync(request, Token), Token);
    }

    public async Task<HttpStatusCode> StatusAsync(string method, string address, string? token, JsonNode? body = null) =>
        (await SendAsync(method, address, token, body)).Status;

    public async Task<JsonArray> ListAsync(string address, string token)
    {
        var reply = await SendAsync("GET", address, token);
        Assert.Equal(HttpStatusCode.OK, reply.Status);
        return reply.Json.AsArray();
    }

    /// <summary>Creates a user as an administrator and returns the id.</summary>
    public async Task<string> CreateAsync(string username, JsonObject? more = null)
    {
        var body = more ?? new JsonObject { ["enabled"] = true };
        body["username"] = username;
        var reply = await SendAsync("POST", Users, await AdminTokenAsync(), body);
        Assert.Equal(HttpStatusCode.Created, reply.Status);
        return reply.Location!.Segments[^1];
    }

    /// <summary>Registers by the form and returns the answer to it.</summary>
    public async Task<Reply> RegisterAsync(string username, string confirm = "pass")
    {
        var page = await SendAsync("GET", AppAddress("registrations"), null);
        return await PostFormAsync(ActionOf(page), new()
        {
            ["username"] = username, ["password"] = "pass", ["password-confirm"] = confirm,
            ["email"] = $"{username}@example.com", ["firstName"] = "Ada", ["lastName"] = "Lovelace",
        }, page.Cookie);
    }

    public static string AppAddress(string page) =>
        $"realms/{Realm}/protocol/openid-connect/{page}?client_id=app&response_type=code&state=s1"
        + "&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb";

    public static string ActionOf(Reply page) => WebUtility.HtmlDecode(FormAction().Match(page.Body).Groups[1].Value);

    public static string? Text(JsonNode? node, params string[] path) =>
        (string?)path.Aggregate(node, (current, name) => current?[name]);

    public static string[] Names(JsonArray users) => [.. users.Select(user => (string)user!["username"]!)];

    public static string[] Types(JsonArray events) => [.. events.Select(stored => (string)stored!["type"]!)];

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _handler.Dispose();
        await Server.DisposeAsync();
    }

    private async Task<string> TokenAsync(string realm, Dictionary<string, string> form) =>
        (string)(await PostFormAsync($"realms/{realm}/protocol/openid-connect/token", form)).Json["access_token"]!;

    public static JsonObject Client(string clientId) => new()
    {
        ["clientId"] = clientId, ["secret"] = "s3cret", ["serviceAccountsEnabled"] = true, ["publicClient"] = false,
    };

    private static JsonObject Application() => new()
    {
        ["clientId"] = "app", ["publicClient"] = true, ["redirectUris"] = new JsonArray("http://127.0.0.1:9/*"),
    };

    public static JsonObject ServiceAccount(string clientId, params string[] roles) => new()
    {
        ["username"] = $"service-account-{clientId}",
        ["enabled"] = true,
        ["serviceAccountClientId"] = clientId,
        ["clientRoles"] = new JsonObject { ["realm-management"] = new JsonArray([.. roles.Select(role => JsonValue.Create(role))]) },
    };

    [GeneratedRegex("<form[^>]* action=\"([^\"]*)\"")]
    private static partial Regex FormAction();
}

/// <summary>An answer, read to its end.</summary>
internal sealed record Reply(HttpStatusCode Status, string Body, Uri? Location, string? Cookie, TimeSpan? RetryAfter)
{
    public JsonNode Json => JsonNode.Parse(Body)!;

    public static async Task<Reply> OfAsync(HttpResponseMessage response, CancellationToken token)
    {
        using (response)
        {
            var cookie = response.Headers.TryGetValues("Set-Cookie", out var set) ? set.First().Split(';')[0] : null;
            var body = await response.Content.ReadAsStringAsync(token);
            return new Reply(response.StatusCode, body, response.Headers.Location, cookie, response.Headers.RetryAfter?.Delta);
        }
    }
}
