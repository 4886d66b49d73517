using System.Collections.Immutable;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Users;

/// <summary>A user or service account, as the emulator keeps it.</summary>
/// <param name="Id">Opaque text; <c>f:…</c> marks a federated user that is not stored.</param>
/// <param name="Username">Always in lower case.</param>
internal sealed record EmulatedUser(string Id, string Username)
{
    public string? Email { get; init; }

    public string? FirstName { get; init; }

    public string? LastName { get; init; }

    public bool Enabled { get; init; } = true;

    public bool EmailVerified { get; init; }

    /// <summary>Milliseconds since 1970; null for some imported users.</summary>
    public long? CreatedTimestamp { get; init; }

    public string? ServiceAccountClientId { get; init; }

    /// <summary>The directory that the user was imported from.</summary>
    public string? FederationLink { get; init; }

    public string? Password { get; init; }

    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Attributes { get; init; }

    /// <summary>Roles as <c>client/role</c>.</summary>
    public ImmutableHashSet<string> ClientRoles { get; init; } = [];

    /// <summary>Ids of the groups that the user was put into.</summary>
    public ImmutableHashSet<string> Groups { get; init; } = [];

    /// <summary>Names of the realm's roles that the user was given.</summary>
    public ImmutableHashSet<string> RealmRoles { get; init; } = [];

    /// <summary>The user's id at each identity provider, by alias.</summary>
    public ImmutableDictionary<string, string> Identities { get; init; } = ImmutableDictionary<string, string>.Empty;

    public bool IsServiceAccount => ServiceAccountClientId is not null;

    /// <summary>False for federated users that are not imported: they are listed, and have no count and no creation time.</summary>
    public bool IsStored => !Id.StartsWith("f:", StringComparison.Ordinal);

    public static string NewId() => Guid.NewGuid().ToString();

    /// <summary>The user that Keycloak makes for a client with a service account.</summary>
    public static EmulatedUser ServiceAccountOf(EmulatedClient client, long created) =>
        new(NewId(), $"service-account-{client.ClientId}".ToLowerInvariant())
        {
            CreatedTimestamp = created, ServiceAccountClientId = client.ClientId,
        };

    /// <summary>The user after an admin's write: what the body does not name stays as it is.</summary>
    public EmulatedUser With(JsonObject body) => this with
    {
        Email = body.ContainsKey("email") ? Blank(body.Text("email"))?.ToLowerInvariant() : Email,
        FirstName = body.ContainsKey("firstName") ? Blank(body.Text("firstName")) : FirstName,
        LastName = body.ContainsKey("lastName") ? Blank(body.Text("lastName")) : LastName,
        Enabled = body.Flag("enabled") ?? Enabled,
        EmailVerified = body.Flag("emailVerified") ?? EmailVerified,
        Password = body.Objects("credentials").LastOrDefault()?.Text("value") ?? Password,
    };

    /// <summary>The user of a directory, once Keycloak stores it.</summary>
    public EmulatedUser ImportedAt(long now) => this with { CreatedTimestamp = now, FederationLink = "directory" };

    /// <summary>A user of a realm file or a partial import, whose id and creation time are taken as given.</summary>
    public static EmulatedUser Imported(JsonObject body, long? created)
    {
        var username = body.Text("username") ?? throw RefusalException.Error(StatusCodes.Status400BadRequest, "User name is missing");
        return new EmulatedUser(body.Text("id") ?? NewId(), username.ToLowerInvariant()) { Enabled = false }.With(body) with
        {
            CreatedTimestamp = body.Number("createdTimestamp") ?? created,
            ServiceAccountClientId = body.Text("serviceAccountClientId"),
            ClientRoles = RolesOf(body["clientRoles"] as JsonObject),
            Attributes = AttributesOf(body["attributes"] as JsonObject),
        };
    }

    private static ImmutableHashSet<string> RolesOf(JsonObject? clients) =>
        [.. (clients ?? []).SelectMany(client => clients!.Texts(client.Key)!.Select(role => $"{client.Key}/{role}"))];

    private static Dictionary<string, IReadOnlyList<string>>? AttributesOf(JsonObject? attributes) =>
        attributes?.ToDictionary(attribute => attribute.Key, attribute => attributes.Texts(attribute.Key) ?? []);

    private static string? Blank(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
