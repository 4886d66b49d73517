using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Events;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Doctor;

/// <summary>
/// Whether users could choose their tier, or the account that is theirs, by what they edit themselves, and whether the bridge may read what
/// decides their welcome.
/// </summary>
internal sealed class AttributeChecks(
    AdminTransport transport, TokenSource tokens, Hot<GrantPolicy> policy, KeycloakClient keycloak, KeycloakEvents events)
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

    /// <summary>Whether the organisations and registrations that rules of the welcome ask for can be read.</summary>
    public async Task<Finding> WelcomeSourcesAsync(string realm, CancellationToken cancellationToken)
    {
        const string UnknownUser = "00000000-0000-0000-0000-000000000000";
        var needed = policy.Current.PoliciesOf(realm)?.NeededFor(null) ?? NeededEvidence.Nothing;
        if (needed.Organizations)
            await keycloak.ListOrganizationsAsync(realm, UnknownUser, cancellationToken);
        if (needed.Registration)
            await events.FindRegistrationAsync(realm, UnknownUser, cancellationToken);
        return Finding.Ok(
            needed.Organizations || needed.Registration
                ? "what rules of the welcome ask for can be read"
                : "no rule of the welcome asks for organisations or registrations");
    }

    /// <summary>What a verified address is worth. Servers tell no version: those of 26.6 and 26.7 are not told from later ones.</summary>
    public async Task<Finding> VerifiedAddressesAsync(string realm, CancellationToken cancellationToken)
    {
        if (policy.Current.PoliciesOf(realm) is not { RequiresVerifiedAddress: true })
            return Finding.Ok("no grant waits for a verified address");
        return await keycloak.HasCreatedWindowsAsync(realm, cancellationToken)
            ? Finding.Ok("grants wait for verified addresses; before Keycloak 26.8 links of other mails verify an address too")
            : Finding.Warn(
                "grants wait for verified addresses, and this server also sets the flag when a user follows the link of an action or of an "
                + "account linking mail",
                "update Keycloak to 26.8, or let such mails go only to addresses that administrators know");
    }

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
