using System.Collections.Immutable;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Emulator.Membership;

/// <summary>A group of users.</summary>
/// <param name="Parent">Its parent group, or null.</param>
internal sealed record EmulatedGroup(string Id, string Name, EmulatedGroup? Parent)
{
    /// <summary>Names of the realm roles that its members have, those of groups below it too.</summary>
    public ImmutableHashSet<string> RealmRoles { get; set; } = [];

    public string Path => $"{Parent?.Path}/{Name}";

    /// <summary>The group and its ancestors.</summary>
    public IEnumerable<EmulatedGroup> Line => Parent is null ? [this] : [this, .. Parent.Line];

    public JsonObject ToJson()
    {
        var json = new JsonObject { ["id"] = Id, ["name"] = Name, ["path"] = Path };
        if (Parent is not null)
            json["parentId"] = Parent.Id;
        json["subGroups"] = new JsonArray();
        return json;
    }
}
