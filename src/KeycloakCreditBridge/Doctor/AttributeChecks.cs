using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Doctor;

/// <summary>Whether users could choose their tier, or the account that is theirs, by an attribute that they edit themselves.</summary>
internal sealed class AttributeChecks(AdminTransport transport, TokenSource tokens, GrantPolicy policy)
{
    private const string Cure = "in Realm settings, User profile, create it as an attribute that only admins edit";

    public Task<Finding> TierAttributeAsync(string realm, CancellationToken cancellationToken) =>
        policy.RulesOf(realm).TierMap.Attribute is { Length: > 0 } attribute
            ? CheckAsync(realm, [attribute], "choose their tier", cancellationToken)
            : Task.FromResult(Finding.Ok("tiers follow no attribute"));

    public Task<Finding> AccountIdAttributeAsync(string realm, CancellationToken cancellationToken) =>
        policy.RulesOf(realm).AccountId.Attributes is { Count: > 0 } attributes
            ? CheckAsync(realm, attributes, "choose the account that they spend from", cancellationToken)
            : Task.FromResult(Finding.Ok("account ids hold no attribute"));

    // The bridge's own roles show the user profile.
    private async Task<Finding> CheckAsync(
        string realm, IReadOnlyList<string> attributes, string consequence, CancellationToken cancellationToken)
    {
        var session = new AdminSession(transport, realm, tokens);
        var profile = await session.GetAsync("users/profile", AdminRequest.ViewUsers, cancellationToken);
        return attributes.Select(attribute => Check(profile, attribute, consequence)).MaxBy(finding => finding.Verdict)!;
    }

    private static Finding Check(JsonNode profile, string attribute, string consequence)
    {
        var declared = (profile["attributes"] as JsonArray ?? []).OfType<JsonObject>().FirstOrDefault(
            item => (string?)item["name"] == attribute);
        if (declared is null)
        {
            return (string?)profile["unmanagedAttributePolicy"] == "ENABLED"
                ? Finding.Fail(
                    $"users may write any attribute of their own, and so {consequence} by '{attribute}'",
                    $"{Cure}, or do not enable unmanaged attributes")
                : Finding.Ok($"users may not write the attribute '{attribute}'");
        }

        return (declared["permissions"]?["edit"] as JsonArray ?? []).Any(role => (string?)role == "user")
            ? Finding.Fail($"users may edit the attribute '{attribute}', and so {consequence}", $"{Cure}: take Edit from user")
            : Finding.Ok($"users may not edit the attribute '{attribute}'");
    }
}
