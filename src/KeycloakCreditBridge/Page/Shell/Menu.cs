using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Setup.Operators;

namespace KeycloakCreditBridge.Page.Shell;

/// <summary>The screens in their order, and the sentences that stand above them after a change.</summary>
internal static class Menu
{
    public const string Accounts = $"{PagePaths.Root}/accounts";

    public const string Runs = $"{PagePaths.Root}/runs";

    public const string Audit = $"{PagePaths.Root}/audit";

    public const string Settings = $"{PagePaths.Root}/settings";

    /// <summary>The screens that the operator may open.</summary>
    public static IEnumerable<(string Name, string Path)> Of(Operator user) => user.Realms.Count == 0 ? [] :
    [
        ("Overview", PagePaths.Root), ("Accounts", Accounts), ("Runs", Runs), ("Audit", Audit),
        .. user.SeesAll ? [("Settings", Settings)] : Array.Empty<(string, string)>(),
    ];

    public static bool IsHere(string path, string asked) =>
        path == PagePaths.Root ? asked.TrimEnd('/') == path : asked.StartsWith(path, StringComparison.Ordinal);

    /// <summary>What a change did; null for a word that the page does not use.</summary>
    public static string? Sentence(string? done) => done switch
    {
        "checked" => "The checks ran again.",
        "asked" => "Keycloak is asked for this user again; the account follows within seconds.",
        "allocated" => "The credits were added.",
        "refunded" => "The usage was refunded.",
        "switched" => "The tier was switched.",
        "retried" => "The hint is tried again.",
        "dropped" => "The hint was deleted.",
        "started" => "The run begins as soon as a replica can.",
        "stopped" => "The run ends after its current part.",
        _ => null,
    };
}
