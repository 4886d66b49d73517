using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Chaos.World;
using KeycloakCreditBridge.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Chaos.Workload;

/// <param name="Status">0 when no answer came.</param>
internal sealed record ApiAnswer(int Status, JsonNode? Body)
{
    public bool IsDone => Status is >= 200 and < 300;

    public bool IsRefused => Status is >= 400 and < 500 and not 408;
}

/// <summary>Asks replicas through their proxies, as gateways and administrators do.</summary>
internal sealed class BridgeApi : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(30);

    private readonly ChaosWorld _world;
    private readonly SemaphoreSlim _renewal = new(1, 1);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
    private string _token = "";
    private DateTimeOffset _renewAt;

    public BridgeApi(ChaosWorld world) => _world = world;

    /// <summary>Sends a request once. It never throws: what fails on the way is an answer of status 0.</summary>
    public async Task<ApiAnswer> SendAsync(
        int replica, HttpMethod method, string path, JsonNode? body = null, string? key = null, string? userToken = null)
    {
        try
        {
            using var request = new HttpRequestMessage(method, new Uri(_world.Replicas[replica].FrontUrl, path));
            if (path.StartsWith("usage/", StringComparison.Ordinal))
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _world.GatewayKey);
            else
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", userToken ?? await TokenAsync());
            if (key is not null)
                request.Headers.Add("Idempotency-Key", key);
            if (body is not null)
                request.Content = new StringContent(body.ToJsonString(), new MediaTypeHeaderValue("application/json"));
            using var answer = await _http.SendAsync(request);
            return new ApiAnswer((int)answer.StatusCode, Parse(await answer.Content.ReadAsStringAsync()));
        }
        catch (Exception exception) when (
            exception is HttpRequestException or OperationCanceledException or IOException or SocketException)
        {
            return new ApiAnswer(0, null);
        }
    }

    /// <summary>A token of a user; null where Keycloak gives none.</summary>
    public async Task<string?> UserTokenAsync(SandboxUser user)
    {
        try
        {
            using var answer = await AskAsync(new()
            {
                ["grant_type"] = "password", ["username"] = user.Username, ["password"] = user.Password,
            });
            return answer.IsSuccessStatusCode ? (string?)Parse(await answer.Content.ReadAsStringAsync())!["access_token"] : null;
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        _http.Dispose();
        _renewal.Dispose();
    }

    private static JsonNode? Parse(string text)
    {
        try
        {
            return text.Length == 0 ? null : JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async Task<HttpResponseMessage> AskAsync(Dictionary<string, string> fields)
    {
        (fields["client_id"], fields["client_secret"]) = (ChaosWorld.Caller, _world.ClientSecret);
        using var form = new FormUrlEncodedContent(fields);
        return await _http.PostAsync(new Uri(_world.Keycloak.Url, $"realms/{ChaosWorld.Realm}/protocol/openid-connect/token"), form);
    }

    private async Task<string> TokenAsync()
    {
        await _renewal.WaitAsync();
        try
        {
            if (DateTimeOffset.UtcNow >= _renewAt)
                await RenewAsync();
            return _token;
        }
        finally
        {
            _renewal.Release();
        }
    }

    private async Task RenewAsync()
    {
        using var answer = await AskAsync(new() { ["grant_type"] = "client_credentials" });
        answer.EnsureSuccessStatusCode();
        var issued = Parse(await answer.Content.ReadAsStringAsync())!;
        _token = (string)issued["access_token"]!;
        _renewAt = DateTimeOffset.UtcNow + TimeSpan.FromSeconds((int)issued["expires_in"]!) - Margin;
    }
}
