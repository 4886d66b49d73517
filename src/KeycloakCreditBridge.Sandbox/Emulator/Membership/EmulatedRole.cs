using System.Collections.Immutable;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Emulator.Membership;

/// <summary>A role of a realm.</summary>
internal sealed record EmulatedRole(string Id, string Name)
{
    /// <summary>Names of the roles that it includes.</summary>
    public ImmutableHashSet<string> Included { get; init; } = [];

    public JsonObject ToJson(string realmId) => new()
    {
        ["id"] = Id, ["name"] = Name, ["composite"] = Included.Count > 0, ["clientRole"] = false, ["containerId"] = realmId,
    };
}
