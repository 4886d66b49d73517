using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Emulator.Users;

/// <summary>Users as answers show them; no field marks a service account.</summary>
internal static class UserJson
{
    public static JsonObject Brief(this EmulatedUser user, bool canManage, long now)
    {
        var json = Core(user, now);
        json["access"] = new JsonObject { ["manage"] = canManage };
        return json;
    }

    public static JsonObject Listed(this EmulatedUser user, bool canManage, long now)
    {
        var json = WithDetails(Core(user, now), user);
        json["notBefore"] = 0;
        json["access"] = new JsonObject { ["manage"] = canManage };
        return json;
    }

    public static JsonObject Full(this EmulatedUser user, bool canManage, long now)
    {
        var json = WithDetails(Core(user, now), user);
        json["federatedIdentities"] = new JsonArray([.. user.Identities.Select(identity => new JsonObject
        {
            ["identityProvider"] = identity.Key, ["userId"] = identity.Value, ["userName"] = user.Username,
        })]);
        json["notBefore"] = 0;
        json["access"] = new JsonObject
        {
            ["manageGroupMembership"] = canManage,
            ["resetPassword"] = canManage,
            ["view"] = true,
            ["mapRoles"] = canManage,
            ["impersonate"] = canManage,
            ["manage"] = canManage,
        };
        return json;
    }

    private static JsonObject Core(EmulatedUser user, long now)
    {
        var json = new JsonObject { ["id"] = user.Id, ["username"] = user.Username };
        Set(json, "firstName", user.FirstName);
        Set(json, "lastName", user.LastName);
        Set(json, "email", user.Email);
        Set(json, "federationLink", user.FederationLink);
        json["emailVerified"] = user.EmailVerified;
        json["enabled"] = user.Enabled;

        // A federated user that is not stored gets a new creation time each time it is loaded.
        if ((user.IsStored ? user.CreatedTimestamp : now) is { } created)
            json["createdTimestamp"] = created;
        return json;
    }

    private static JsonObject WithDetails(JsonObject json, EmulatedUser user)
    {
        if (user.Attributes is { } attributes)
            json["attributes"] = new JsonObject(attributes.Select(attribute => KeyValuePair.Create<string, JsonNode?>(
                attribute.Key, new JsonArray([.. attribute.Value.Select(value => JsonValue.Create(value))]))));
        json["totp"] = false;
        json["disableableCredentialTypes"] = new JsonArray();
        json["requiredActions"] = new JsonArray();
        return json;
    }

    private static void Set(JsonObject json, string name, string? value)
    {
        if (value is not null)
            json[name] = value;
    }
}
