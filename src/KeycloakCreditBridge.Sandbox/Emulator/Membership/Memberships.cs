using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Membership;

/// <summary>The groups and roles of a realm. Used under the realm's lock.</summary>
internal sealed class Memberships
{
    public Dictionary<string, EmulatedGroup> Groups { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, EmulatedRole> Roles { get; } = new(StringComparer.Ordinal);

    /// <summary>The groups that a user was put into, by name.</summary>
    public IEnumerable<EmulatedGroup> GroupsOf(EmulatedUser user) =>
        user.Groups.Select(id => Groups[id]).OrderBy(group => group.Name, StringComparer.Ordinal);

    /// <summary>The roles of a user: direct, through groups and through other roles.</summary>
    public IEnumerable<EmulatedRole> RolesOf(EmulatedUser user)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        var waiting = new Queue<string>(
            user.RealmRoles.Concat(GroupsOf(user).SelectMany(group => group.Line).SelectMany(group => group.RealmRoles)));
        while (waiting.TryDequeue(out var name))
        {
            if (!found.Add(name))
                continue;
            foreach (var included in Roles[name].Included)
                waiting.Enqueue(included);
        }

        return found.Select(name => Roles[name]);
    }
}
