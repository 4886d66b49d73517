namespace KeycloakCreditBridge.Sandbox.Processes;

/// <summary>Another system user to run a program as, for programs that refuse root.</summary>
/// <param name="Name">The user's name, to give files to.</param>
/// <param name="Prefix">What to put before a command so that it runs as this user.</param>
internal sealed record UnprivilegedUser(string Name, IReadOnlyList<string> Prefix)
{
    /// <summary>The preferred user if it exists, else the system user "nobody"; null when this process is not root's.</summary>
    public static UnprivilegedUser? WhenRoot(string preferred)
    {
        if (!Environment.IsPrivilegedProcess)
            return null;
        var users = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).ToLookup(fields => fields[0]);
        var user = users[preferred].Concat(users["nobody"]).First();
        return new UnprivilegedUser(user[0], Command.Find("setpriv") is { } setpriv
            ? [setpriv, $"--reuid={user[2]}", $"--regid={user[3]}", "--clear-groups", "--"]
            : ["su", "-s", "/bin/sh", "-c", "exec \"$@\"", "--", user[0], "sh"]);
    }
}
