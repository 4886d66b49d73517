using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Realms;

/// <summary>The realms by name; the master realm with its administrator is always there.</summary>
internal sealed class RealmRegistry
{
    public const string Master = "master";
    public const string AdminClient = "admin-cli";

    private readonly ConcurrentDictionary<string, RealmState> _realms = new(StringComparer.Ordinal);
    private readonly EmulatorClock _clock;
    private readonly ServerModel _model;
    private readonly Uri _server;

    public RealmRegistry(EmulatorClock clock, ServerModel model, Uri server, string adminUser, string adminPassword)
    {
        (_clock, _model, _server) = (clock, model, server);
        var master = new RealmState(Guid.NewGuid().ToString(), Master);
        master.Clients[AdminClient] = EmulatedClient.Public(AdminClient);
        master.Users.Add(new EmulatedUser(EmulatedUser.NewId(), adminUser)
        {
            Password = adminPassword, CreatedTimestamp = _clock.Milliseconds, ClientRoles = ImmutableHashSet.Create(Caller.AdminRole),
        });
        _realms[Master] = master;
    }

    public RealmState? Find(string name) => _realms.GetValueOrDefault(name);

    public bool Remove(string name) => _realms.TryRemove(name, out _);

    /// <summary>Creates a realm from a realm file. Its users raise no event.</summary>
    public RealmState Import(JsonObject file)
    {
        var name = file.Text("realm") ?? throw RefusalException.Error(StatusCodes.Status400BadRequest, "Realm name is missing");
        var realm = new RealmState(file.Text("id") ?? Guid.NewGuid().ToString(), name);
        realm.Write(file);
        foreach (var clientId in new[] { RealmState.Management, "account", "account-console", AdminClient })
            realm.Clients[clientId] = EmulatedClient.Public(clientId, $"{_server}realms/{name}/account/*");
        foreach (var client in file.Objects("clients").Select(EmulatedClient.From))
            realm.Clients[client.ClientId] = client with { Roles = RolesOf(file, client.ClientId) };
        foreach (var provider in file.Objects("identityProviders").Select(IdentityProvider.From))
            realm.IdentityProviders[provider.Alias] = provider;
        foreach (var user in file.Objects("users"))
            realm.Users.Add(EmulatedUser.Imported(user, CreatedOfImport));
        foreach (var client in realm.Clients.Values.Where(client => client.HasServiceAccount && realm.ServiceAccountOf(client) is null))
            realm.Users.Add(EmulatedUser.ServiceAccountOf(client, _clock.Milliseconds));
        if (!_realms.TryAdd(name, realm))
            throw RefusalException.Conflict($"Realm {name} already exists");
        return realm;
    }

    private static ImmutableHashSet<string> RolesOf(JsonObject file, string clientId) =>
        [.. ((file["roles"]?["client"] as JsonObject) ?? []).Objects(clientId).Select(role => role.Text("name")!)];

    /// <summary>When an imported user without a creation time was created: older servers do not say.</summary>
    public long? CreatedOfImport => _model is ServerModel.V26_0 ? null : _clock.Milliseconds;
}
