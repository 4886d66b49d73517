using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Setup;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>
/// Reads and changes one realm with the token of whoever may. What Keycloak does not allow is a <see cref="ConfigurationException"/> that
/// names realm, request and role; Keycloak out of reach is a <see cref="KeycloakUnavailableException"/>.
/// </summary>
/// <param name="clients">Makes the client that the module set up.</param>
/// <param name="options">Where Keycloak is.</param>
/// <param name="realm">The realm's name.</param>
/// <param name="token">The token, and a new one where the last was refused.</param>
/// <param name="isBridge">Whether it is the token of the bridge's own client.</param>
internal sealed class AdminSession(
    IHttpClientFactory clients, KeycloakOptions options, string realm, Func<bool, CancellationToken, Task<string>> token, bool isBridge = false)
{
    public string Realm => realm;

    /// <summary>The JSON below the realm's address in the Admin API.</summary>
    /// <param name="path">Escaped; empty for the realm itself.</param>
    /// <param name="role">The role of realm-management that it needs.</param>
    public async Task<JsonNode> GetAsync(string path, string role, CancellationToken cancellationToken) =>
        (await AskAsync(HttpMethod.Get, Admin(path), role, null, cancellationToken)).Body ?? throw Garbled(path);

    /// <summary>Creates, replaces or deletes what is below the realm's address in the Admin API.</summary>
    public Task SendAsync(HttpMethod method, string path, string role, JsonNode? body, CancellationToken cancellationToken) =>
        AskAsync(method, Admin(path), role, body, cancellationToken);

    /// <summary>The webhooks of Phase Two's plugin; null where the server has no such plugin.</summary>
    public async Task<IReadOnlyList<RegisteredWebhook>?> WebhooksAsync(CancellationToken cancellationToken)
    {
        var (status, body) = await TryAsync(HttpMethod.Get, Webhook("?max=100"), null, cancellationToken);
        // Without the plugin no resource of that name is there, which is told apart from a realm that is not.
        if (status == HttpStatusCode.NotFound && (string?)(body as JsonObject)?["error"] is { } error && !error.StartsWith("Realm", StringComparison.Ordinal))
            return null;
        Check(HttpMethod.Get, "webhooks", "view-events", status, body);
        return [.. (body as JsonArray ?? throw Garbled("webhooks")).OfType<JsonObject>().Select(RegisteredWebhook.From)];
    }

    /// <summary>The secret that a webhook is signed with; needs more than the roles of the bridge.</summary>
    public async Task<string?> WebhookSecretAsync(string id, CancellationToken cancellationToken)
    {
        var (_, body) = await AskAsync(HttpMethod.Get, Webhook($"/{Uri.EscapeDataString(id)}/secret"), "manage-events", null, cancellationToken);
        return (string?)body?["value"];
    }

    /// <summary>Creates a webhook (POST, no id), or replaces or deletes one.</summary>
    public Task SendWebhookAsync(HttpMethod method, string? id, JsonObject? body, CancellationToken cancellationToken) =>
        AskAsync(method, Webhook(id is null ? "" : $"/{Uri.EscapeDataString(id)}"), "manage-events", body, cancellationToken);

    /// <summary>Whether Keycloak fails to read stored events, as it does with two event stores of which none is chosen.</summary>
    public async Task<bool> LacksEventStoreAsync(CancellationToken cancellationToken) =>
        (await TryAsync(HttpMethod.Get, Admin("events?max=1"), null, cancellationToken)).Status == HttpStatusCode.InternalServerError;

    private string Admin(string path) => path.Length == 0
        ? $"admin/realms/{Uri.EscapeDataString(realm)}"
        : $"admin/realms/{Uri.EscapeDataString(realm)}/{path}";

    private string Webhook(string rest) => $"realms/{Uri.EscapeDataString(realm)}/webhooks{rest}";

    private async Task<(HttpStatusCode Status, JsonNode? Body)> AskAsync(
        HttpMethod method, string path, string role, JsonNode? body, CancellationToken cancellationToken)
    {
        var (status, answer) = await TryAsync(method, path, body, cancellationToken);
        Check(method, path.Split('?')[0], role, status, answer);
        return (status, answer);
    }

    private void Check(HttpMethod method, string asked, string role, HttpStatusCode status, JsonNode? answer)
    {
        if ((int)status is >= 200 and < 300)
            return;
        var error = answer as JsonObject;
        var words = Text(error?["errorMessage"]) ?? Text(error?["error"]) ?? "without an error of Keycloak's";
        if (status == HttpStatusCode.NotFound && words.StartsWith("Realm ", StringComparison.Ordinal))
            throw new KeycloakErrors(realm, options).NotFound(asked, new ServerError(words, null));
        if (status == HttpStatusCode.Forbidden && isBridge)
            throw new KeycloakErrors(realm, options).Forbidden($"{method} {asked}", role);
        throw status switch
        {
            HttpStatusCode.Forbidden => new ConfigurationException([
                $"Realm '{realm}' refused {method} {asked} to the administrator: it takes the role {role} of the client realm-management, "
                + "or an administrator of the realm master with --admin-realm master."]),
            HttpStatusCode.Unauthorized => new ConfigurationException([
                $"Realm '{realm}' refused the administrator's token: check --admin-realm and {KeycloakOptions.Section}:Url."]),
            _ => new KeycloakProtocolException(
                realm,
                $"Keycloak answered {(int)status} to {method} {asked} of realm '{realm}' ({words}): look at its log; what was done so far "
                + "is kept, and the same command goes on from there."),
        };
    }

    private async Task<(HttpStatusCode Status, JsonNode? Body)> TryAsync(
        HttpMethod method, string path, JsonNode? body, CancellationToken cancellationToken)
    {
        var failure = new KeycloakErrors(realm, options);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(options.RequestTimeout);
        try
        {
            var first = await OnceAsync(method, path, body, renew: false, timeout.Token);
            return first.Status == HttpStatusCode.Unauthorized ? await OnceAsync(method, path, body, renew: true, timeout.Token) : first;
        }
        catch (HttpRequestException exception)
        {
            throw failure.Unreachable(exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw failure.TooSlow($"{method} {path.Split('?')[0]}", exception);
        }
    }

    private async Task<(HttpStatusCode Status, JsonNode? Body)> OnceAsync(
        HttpMethod method, string path, JsonNode? body, bool renew, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, options.Address(path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await token(renew, cancellationToken));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        using var client = clients.CreateClient(AdminTransport.ClientName);
        using var answer = await client.SendAsync(request, cancellationToken);
        return (answer.StatusCode, Parsed(await answer.Content.ReadAsStringAsync(cancellationToken)));
    }

    private static JsonNode? Parsed(string text)
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

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private KeycloakProtocolException Garbled(string path) => new KeycloakErrors(realm, options).Garbled($"GET {path.Split('?')[0]}");
}
