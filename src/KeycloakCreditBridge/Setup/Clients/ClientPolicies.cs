using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup.Clients;

/// <summary>The client policies of a realm, which may change or refuse what setup writes to a client.</summary>
internal sealed class ClientPolicies(AdminSession session)
{
    /// <summary>Those that are enabled, with their profiles, as a sentence of a message; empty when there is none.</summary>
    public async Task<string> SentenceAsync(CancellationToken cancellationToken)
    {
        var found = await session.GetAsync("client-policies/policies", "view-realm", cancellationToken);
        string[] enabled =
        [
            .. (found["policies"] as JsonArray ?? []).OfType<JsonObject>()
                .Where(policy => (bool?)policy["enabled"] is true)
                .Select(policy => $"{(string?)policy["name"]} ({string.Join(", ", Profiles(policy))})"),
        ];
        return enabled.Length == 0
            ? ""
            : $" Client policies of realm '{session.Realm}' that are enabled: {string.Join("; ", enabled)}. They may change or refuse "
                + "this client: meet them, or exempt it by their conditions in Realm settings, Client policies.";
    }

    private static IEnumerable<string> Profiles(JsonObject policy) =>
        (policy["profiles"] as JsonArray ?? []).Select(profile => (string?)profile ?? "");
}
