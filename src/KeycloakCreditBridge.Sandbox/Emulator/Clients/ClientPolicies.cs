using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Clients;

/// <summary>What Keycloak's own profiles of client policies do to a client that is written; all conditions are taken as met.</summary>
internal static class ClientPolicies
{
    private const string BoundToCertificate = "tls.client.certificate.bound.access.tokens";
    private const string BoundToKey = "dpop.bound.access.tokens";

    /// <summary>The body as the profiles of the realm's enabled policies leave it.</summary>
    /// <exception cref="RefusalException">A profile does not allow it.</exception>
    public static void Apply(JsonObject policies, JsonObject body)
    {
        var profiles = policies.Objects("policies")
            .Where(policy => policy.Flag("enabled") is true)
            .SelectMany(policy => policy.Texts("profiles") ?? []);
        foreach (var profile in profiles)
            Apply(profile, body);
    }

    private static void Apply(string profile, JsonObject body)
    {
        if (profile is not ("fapi-ciba" or "oauth-2-1-for-public-client" or "saml-security-profile"))
        {
            if (body.Text("clientAuthenticatorType") is not (null or "client-jwt" or "client-x509"))
                throw RefusalException.Error(
                    StatusCodes.Status400BadRequest, "invalid_client_metadata", $"Invalid client metadata: token_endpoint_auth_method");
            body["clientAuthenticatorType"] = "client-jwt";
        }

        if (profile.StartsWith("fapi-", StringComparison.Ordinal) && profile != "fapi-ciba")
            body["fullScopeAllowed"] = false;
        var attributes = body["attributes"] as JsonObject ?? [];
        if (profile.Contains("dpop", StringComparison.Ordinal) || profile == "oauth-2-1-for-public-client")
            attributes[BoundToKey] = "true";
        else if (profile is not ("fapi-1-baseline" or "fapi-ciba"))
            attributes[BoundToCertificate] = "true";
        if (attributes.Parent is null)
            body["attributes"] = attributes;
    }

    /// <summary>Demands of a token request what its tokens are to be bound to. The emulator knows no certificates of clients.</summary>
    public static void DemandBinding(EmulatedClient client, bool provesPossession)
    {
        if ((string?)client.Attributes[BoundToCertificate] == "true")
            throw Refused("Client Certification missing for MTLS HoK Token Binding");
        if ((string?)client.Attributes[BoundToKey] == "true" && !provesPossession)
            throw Refused("DPoP proof is missing");
    }

    private static RefusalException Refused(string description) =>
        RefusalException.Error(StatusCodes.Status400BadRequest, "invalid_request", description);
}
