using System.Text;
using System.Text.Json;

namespace KeycloakCreditBridge.Tests.Intake.Broker;

/// <summary>Messages as plugins publish them, by the sources that docs/rabbitmq.md names.</summary>
internal static class BrokerEvents
{
    private const long Time = 1_790_000_000_000;

    /// <summary>A user event of aznamier's plugin.</summary>
    public static (string Key, byte[] Body) Client(string realm, string userId, string type = "REGISTER") => (
        $"KK.EVENT.CLIENT.{realm}.SUCCESS.account-console.{type}",
        Json(new Dictionary<string, object?>
        {
            ["@class"] = "com.github.aznamier.keycloak.event.provider.EventClientNotificationMqMsg",
            ["time"] = Time, ["type"] = type, ["realmId"] = "b7a0cd2a", ["clientId"] = "account-console", ["userId"] = userId,
            ["sessionId"] = "s", ["ipAddress"] = "127.0.0.1", ["error"] = null,
            ["details"] = new Dictionary<string, string> { ["username"] = "ana" },
        }));

    /// <summary>An admin event of aznamier's plugin.</summary>
    public static (string Key, byte[] Body) Admin(string realm, string userId, string operation = "CREATE") => (
        $"KK.EVENT.ADMIN.{realm}.SUCCESS.USER.{operation}",
        Json(new Dictionary<string, object?>
        {
            ["@class"] = "com.github.aznamier.keycloak.event.provider.EventAdminNotificationMqMsg",
            ["time"] = Time, ["realmId"] = "b7a0cd2a",
            ["authDetails"] = new Dictionary<string, string>
            {
                ["realmId"] = "master", ["clientId"] = "c", ["userId"] = "the-administrator", ["ipAddress"] = "127.0.0.1",
            },
            ["resourceType"] = "USER", ["operationType"] = operation, ["resourcePath"] = $"users/{userId}",
            ["representation"] = "{\"username\":\"ana\"}", ["error"] = null, ["resourceTypeAsString"] = "USER",
        }));

    /// <summary>A user event of vymalo's plugin.</summary>
    public static (string Key, byte[] Body) Vymalo(string realm, string userId) => (
        $"KC_CLIENT.{realm}.account-console.{userId}.REGISTER",
        Json(new Dictionary<string, object?>
        {
            ["id"] = "e1", ["time"] = Time, ["realmId"] = realm, ["clientId"] = "account-console", ["userId"] = userId,
            ["type"] = "REGISTER", ["details"] = new Dictionary<string, string> { ["username"] = "ana" },
        }));

    private static byte[] Json(Dictionary<string, object?> members) =>
        Encoding.UTF8.GetBytes(JsonSerializer.Serialize(members, JsonSerializerOptions.Default));
}
