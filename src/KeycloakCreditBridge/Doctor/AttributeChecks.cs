using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor;

/// <summary>Whether people could choose their tier themselves.</summary>
internal sealed class AttributeChecks(AdminTransport transport, TokenSource tokens, GrantPolicy policy)
{
    private const string Cure = "in Realm settings, User profile, create it as an attribute that only admins edit";

    // The bridge's own roles are shown how the profile is made.
    public async Task<Finding> TierAttributeAsync(string realm, CancellationToken cancellationToken)
    {
        var attribute = policy.RulesOf(realm).TierMap.Attribute;
        if (attribute.Length == 0)
            return Finding.Ok("tiers follow no attribute");
        var profile = await new AdminSession(transport, realm, tokens).GetAsync("users/profile", AdminRequest.ViewUsers, cancellationToken);
        var declared = (profile["attributes"] as JsonArray ?? []).OfType<JsonObject>().FirstOrDefault(item => (string?)item["name"] == attribute);
        if (declared is null)
        {
            return (string?)profile["unmanagedAttributePolicy"] == "ENABLED"
                ? Finding.Fail($"people may write any attribute of their own, and so choose their tier by '{attribute}'", $"{Cure}, or do not enable unmanaged attributes")
                : Finding.Ok($"people may not write the attribute '{attribute}'");
        }

        return (declared["permissions"]?["edit"] as JsonArray ?? []).Any(who => (string?)who == "user")
            ? Finding.Fail($"people may edit the attribute '{attribute}', and so choose their tier", $"{Cure}: take Edit from user")
            : Finding.Ok($"people may not edit the attribute '{attribute}'");
    }
}
