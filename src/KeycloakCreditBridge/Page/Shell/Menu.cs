using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Setup.Operators;

namespace KeycloakCreditBridge.Page.Shell;

/// <summary>The screens in their order, and the sentences that stand above them after a change.</summary>
internal static class Menu
{
    public const string Accounts = $"{PagePaths.Root}/accounts";

    public const string Review = $"{PagePaths.Root}/review";

    public const string Runs = $"{PagePaths.Root}/runs";

    public const string Deliveries = $"{PagePaths.Root}/deliveries";

    public const string Hints = $"{PagePaths.Root}/hints";

    public const string Grants = $"{PagePaths.Root}/grants";

    public const string Codes = $"{PagePaths.Root}/codes";

    public const string Referrals = $"{PagePaths.Root}/referrals";

    public const string Experiments = $"{PagePaths.Root}/experiments";

    public const string Funnel = $"{PagePaths.Root}/funnel";

    public const string Events = $"{PagePaths.Root}/events";

    public const string Audit = $"{PagePaths.Root}/audit";

    public const string Settings = $"{PagePaths.Root}/settings";

    /// <summary>The screens that the operator may open.</summary>
    public static IEnumerable<(string Name, string Path)> Of(Operator user) => user.Realms.Count == 0 ? [] :
    [
        ("Overview", PagePaths.Root), ("Accounts", Accounts), ("Review", Review), ("Runs", Runs), ("Deliveries", Deliveries),
        ("Hints", Hints), ("Grants", Grants), ("Codes", Codes), ("Referrals", Referrals),
        ("Experiments", Experiments), ("Funnel", Funnel), ("Audit", Audit),
        .. user.SeesAll ? [("Events", Events), ("Settings", Settings)] : Array.Empty<(string, string)>(),
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
        "voided" => "What was left of the grant was taken back.",
        "extended" => "The end of the grant was changed.",
        "switched" => "The tier was switched.",
        "retried" => "The hint is tried again.",
        "dropped" => "The hint was deleted.",
        "retried_all" => "All dead hints are tried again.",
        "disabled" => "The codes cannot be redeemed any more. What was redeemed stays.",
        "canceled" => "The referral was canceled: it pays nothing.",
        "reversed" => "What was left of the referral's grants was taken back.",
        "experiment_stopped" => "The experiment takes no more users. New users get what control gives.",
        "experiment_won" => "The experiment takes no more users. New users get what its winner gives.",
        "approved" => "The held grant was approved and paid.",
        "rejected" => "The held grant was rejected.",
        "events_sent" => "The endpoint gets these events within seconds.",
        "replayed" => "The user of the delivery is read from Keycloak again.",
        "started" => "The run begins as soon as a replica can.",
        "stopped" => "The run ends after its current part.",
        _ => null,
    };
}
