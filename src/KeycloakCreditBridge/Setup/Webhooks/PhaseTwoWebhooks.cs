using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup.Webhooks;

/// <summary>The webhooks that Phase Two's plugin keeps for one realm.</summary>
internal sealed class PhaseTwoWebhooks(AdminSession session)
{
    private const string ManageEvents = "manage-events";

    public string Realm => session.Realm;

    /// <summary>All of the realm's; null where the server has no such plugin.</summary>
    public Task<IReadOnlyList<RegisteredWebhook>?> ListAsync(CancellationToken cancellationToken) =>
        session.AskAsync(Request("?max=100", AdminRequest.ViewEvents), Read, cancellationToken);

    /// <summary>The secret that a webhook is signed with; needs more than the roles of the bridge.</summary>
    public async Task<string?> SecretAsync(string id, CancellationToken cancellationToken)
    {
        var body = await session.AskAsync(
            Request($"/{Uri.EscapeDataString(id)}/secret", ManageEvents), response => response.ReadJson(), cancellationToken);
        return (string?)body?["value"];
    }

    /// <summary>Creates a webhook (POST, no id), or replaces or deletes one.</summary>
    public Task SendAsync(HttpMethod method, string? id, JsonObject? body, CancellationToken cancellationToken) => session.AskAsync(
        Request(id is null ? "" : $"/{Uri.EscapeDataString(id)}", ManageEvents) with { Method = method, Body = body },
        response => response.ReadJson(),
        cancellationToken);

    private static IReadOnlyList<RegisteredWebhook>? Read(AdminResponse response) =>
        response.IsResourceNotFound ? null : [.. response.ReadArray().OfType<JsonObject>().Select(RegisteredWebhook.From)];

    private static AdminRequest Request(string suffix, string role) => new("webhooks", role, suffix) { IsOfPlugin = true };
}
