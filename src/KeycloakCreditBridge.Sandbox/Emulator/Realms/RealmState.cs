using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Events;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Membership;
using KeycloakCreditBridge.Sandbox.Emulator.Pages;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

namespace KeycloakCreditBridge.Sandbox.Emulator.Realms;

/// <summary>
/// Everything one realm consists of. Users, directory, memberships, events and webhooks are touched only under <see cref="Gate"/>.
/// </summary>
internal sealed class RealmState(string id, string name)
{
    public const string Management = "realm-management";

    /// <summary>Fields of a realm's JSON that are kept elsewhere.</summary>
    private static readonly FrozenSet<string> FieldsKeptElsewhere = FrozenSet.Create(
        StringComparer.Ordinal,
        "users", "clients", "identityProviders",
        "eventsEnabled", "eventsExpiration", "eventsListeners", "enabledEventTypes", "adminEventsEnabled", "adminEventsDetailsEnabled");

    public string Id => id;

    public string Name => name;

    public Lock Gate { get; } = new();

    /// <summary>Signs the realm's tokens; a realm recreated under the same name refuses the old ones.</summary>
    public ECDsa Key { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public string KeyId { get; } = Guid.NewGuid().ToString();

    public UserDirectory Users { get; } = new();

    /// <summary>Users of a directory that are not imported yet: a list that shows them or their first login imports them.</summary>
    public List<EmulatedUser> DirectoryUsers { get; } = [];

    public Memberships Memberships { get; } = new();

    /// <summary>The configuration of the user profile.</summary>
    public JsonObject Profile { get; set; } = new()
    {
        ["attributes"] = new JsonArray([.. ((string[])["username", "email", "firstName", "lastName"]).Select(name => new JsonObject
        {
            ["name"] = name,
            ["permissions"] = new JsonObject { ["view"] = new JsonArray("admin", "user"), ["edit"] = new JsonArray("admin", "user") },
            ["multivalued"] = false,
        })]),
    };

    /// <summary>Policies of its clients, as the Admin API gives them.</summary>
    public JsonObject ClientPolicies { get; set; } = new() { ["policies"] = new JsonArray() };

    /// <summary>Ids of users that lists leave out.</summary>
    public HashSet<string> HiddenUserIds { get; } = new(StringComparer.Ordinal);

    public EventLog<UserEvent> UserEvents { get; } = new(stored => stored.Time);

    public EventLog<AdminEvent> AdminEvents { get; } = new(stored => stored.Time);

    public List<WebhookSubscription> Webhooks { get; } = [];

    /// <summary>Wrong passwords by the id of the user.</summary>
    public Dictionary<string, LoginFailures> LoginFailures { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, EmulatedClient> Clients { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, IdentityProvider> IdentityProviders { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, LoginSession> Sessions { get; } = new(StringComparer.Ordinal);

    /// <summary>Authorization codes that were handed out and not redeemed.</summary>
    public ConcurrentDictionary<string, IssuedCode> AuthorizationCodes { get; } = new(StringComparer.Ordinal);

    /// <summary>Sessions of users by their refresh tokens.</summary>
    public ConcurrentDictionary<string, IssuedCode> RefreshTokens { get; } = new(StringComparer.Ordinal);

    /// <summary>The realm's own fields as they were last written, without users, clients and identity providers.</summary>
    public JsonObject Settings { get; private set; } = [];

    public EventsConfig Events { get; set; } = EventsConfig.Default;

    public bool AllowsRegistration => Settings.Flag("registrationAllowed") is true;

    public bool AllowsRenaming => Settings.Flag("editUsernameAllowed") is true;

    public EmulatedUser User(string userId)
    {
        lock (Gate)
            return Users.ById(userId) ?? throw RefusalException.UserNotFound;
    }

    public EmulatedClient? ClientByUuid(string uuid) => Clients.Values.FirstOrDefault(client => client.Uuid == uuid);

    /// <summary>The service account of a client, if it has one.</summary>
    public EmulatedUser? ServiceAccountOf(EmulatedClient client)
    {
        lock (Gate)
            return Users.ServiceAccounts.FirstOrDefault(user => user.ServiceAccountClientId == client.ClientId);
    }

    /// <summary>Takes over what the body names, which is how PUT works on a realm, and its events settings with it.</summary>
    public void Write(JsonObject body)
    {
        var settings = Settings.DeepClone().AsObject();
        foreach (var (field, value) in body)
        {
            if (!FieldsKeptElsewhere.Contains(field))
                settings[field] = value?.DeepClone();
        }

        (Settings, Events) = (settings, Events.WithSettings(body));
    }
}
