using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Admin;

/// <summary>
/// Any request with a token of the master realm's administrator, which is renewed before it ends. It stays apart from the bridge's own
/// transport, so that tests see Keycloak with other eyes than what they test. That transport stays below one realm and repeats reads; this
/// one creates realms, posts forms, reads the ids of what it created, and never repeats a request that a test made fail.
/// </summary>
internal sealed class AdministratorClient(Uri server, string user, string password, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(15);

    private readonly HttpClient _http = new() { BaseAddress = server, Timeout = TimeSpan.FromMinutes(2) };
    private readonly SemaphoreSlim _renewal = new(1, 1);
    private string _token = "";
    private DateTimeOffset _renewAt = DateTimeOffset.MinValue;

    /// <returns>The answer's body (null if it is empty) and the last segment of its Location, which is a created object's id.</returns>
    public async Task<(JsonNode? Body, string CreatedId)> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken token)
    {
        using var content = body is null ? null : JsonContent.Create(body);
        return await SendAsync(method, path, content, token);
    }

    /// <summary>Posts a form, which a few addresses want instead of JSON.</summary>
    public async Task SendFormAsync(string path, IReadOnlyDictionary<string, string> fields, CancellationToken token)
    {
        using var content = new FormUrlEncodedContent(fields);
        await SendAsync(HttpMethod.Post, path, content, token);
    }

    private async Task<(JsonNode? Body, string CreatedId)> SendAsync(
        HttpMethod method, string path, HttpContent? content, CancellationToken token)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await TokenAsync(token));
        using var response = await _http.SendAsync(request, token);
        var text = await ReadAsync(request, response, token);
        return (text.Length == 0 ? null : JsonNode.Parse(text), response.Headers.Location?.ToString().Split('/')[^1] ?? "");
    }

    public void Dispose()
    {
        _http.Dispose();
        _renewal.Dispose();
    }

    private static async Task<string> ReadAsync(HttpRequestMessage request, HttpResponseMessage response, CancellationToken token)
    {
        var text = await response.Content.ReadAsStringAsync(token);
        return response.IsSuccessStatusCode
            ? text
            : throw new HttpRequestException(
                $"{request.Method} {request.RequestUri} answered {(int)response.StatusCode}: {text}", null, response.StatusCode);
    }

    private async Task<string> TokenAsync(CancellationToken token)
    {
        await _renewal.WaitAsync(token);
        try
        {
            if (clock.GetUtcNow() >= _renewAt)
                await RenewAsync(token);
            return _token;
        }
        finally
        {
            _renewal.Release();
        }
    }

    private async Task RenewAsync(CancellationToken token)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Post, new Uri("realms/master/protocol/openid-connect/token", UriKind.Relative));
        request.Content = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "password",
            ["client_id"] = "admin-cli",
            ["username"] = user,
            ["password"] = password,
        });
        using var response = await _http.SendAsync(request, token);
        var answer = JsonNode.Parse(await ReadAsync(request, response, token))!;
        _token = answer["access_token"]!.GetValue<string>();
        _renewAt = clock.GetUtcNow() + TimeSpan.FromSeconds(answer["expires_in"]!.GetValue<int>()) - Margin;
    }
}
