using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Doctor;

/// <summary>Whether users could choose their tier, or the account that is theirs, by what they edit themselves.</summary>
internal sealed class AttributeChecks(AdminTransport transport, TokenSource tokens, Hot<GrantPolicy> policy)
{
    private const string Cure = "in Realm settings, User profile, create it as an attribute that only admins edit";

    public Task<Finding> TierAttributeAsync(string realm, CancellationToken cancellationToken) =>
        policy.Current.RulesOf(realm).TierMap.Attribute is { Length: > 0 } attribute
            ? CheckAsync(realm, [attribute], "choose their tier", cancellationToken)
            : Task.FromResult(Finding.Ok("tiers follow no attribute"));

    public Task<Finding> AccountIdAttributeAsync(string realm, CancellationToken cancellationToken) =>
        policy.Current.RulesOf(realm).AccountId.Attributes is { Count: > 0 } attributes
            ? CheckAsync(realm, attributes, "choose the account that they spend from", cancellationToken)
            : Task.FromResult(Finding.Ok("account ids hold no attribute"));

    public Task<Finding> WelcomeAttributesAsync(string realm, CancellationToken cancellationToken) =>
        policy.Current.WelcomeOf(realm)?.Rules.Select(rule => rule.TrustedAttribute).OfType<string>().Distinct().ToList()
            is { Count: > 0 } attributes
            ? CheckAsync(realm, attributes, "choose their welcome credits", cancellationToken)
            : Task.FromResult(Finding.Ok("no rule of the welcome trusts an attribute"));

    /// <summary>What the realm's login settings let users choose. Only an administrator sees them.</summary>
    public async Task<Finding> AccountIdSettingsAsync(string realm, AdminSession? administrator, CancellationToken cancellationToken)
    {
        var rules = policy.Current.RulesOf(realm);
        var (byName, byAddress) = rules.AccountId.HasId
            ? (false, false) : (rules.AccountId.HasUsername, rules.AccountId.HasAddress && !rules.RequiresVerifiedAddress);
        if (!byName && !byAddress)
            return Finding.Ok("account ids hold no user name, and no address that may be unverified");
        if (administrator is null)
            return Finding.Ok(AdministratorChecks.NotVisible);
        var settings = await administrator.GetAsync("", "view-realm", cancellationToken);
        if (byName && (bool?)settings["editUsernameAllowed"] is true)
        {
            return Finding.Fail(
                "users may change their user name, and so choose the account that they spend from",
                "in Realm settings, Login, switch off Edit username");
        }

        return byAddress && (bool?)settings["duplicateEmailsAllowed"] is true
            ? Finding.Fail(
                "several users may have one address, so one who has not verified it can occupy the account of another",
                "in Realm settings, Login, switch off Duplicate emails, or set Provisioning:Eligibility:EmailVerified")
            : Finding.Ok("users may not choose what account ids are made of");
    }

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
