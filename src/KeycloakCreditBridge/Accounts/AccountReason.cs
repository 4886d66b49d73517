using System.Globalization;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Accounts;

/// <summary>Says why an account is as it is, from what is on record and what Keycloak says.</summary>
internal static class AccountReason
{
    public static string Of(AccountView view)
    {
        string[] sentences = [view.Account is null ? NoAccountText(view) : AccountText(view), HintText(view), DifferenceText(view)];
        return string.Join(' ', sentences.Where(sentence => sentence.Length > 0));
    }

    private static string AccountText(AccountView view)
    {
        var account = view.Account!;
        var opened = account.Source is null
            ? $"Was there before the bridge, since {At(account.CreatedAt)}."
            : $"Opened by {account.Source} at {At(account.CreatedAt)}.";
        return account switch
        {
            { Status: "held", StatusReason: "disabled" } => $"{opened} Held because the user is disabled in Keycloak, {Since(view, "credit.hold")}.",
            { Status: "held", StatusReason: ExclusionReasons.AccountIdTaken } =>
                $"{opened} Held because the account id that follows from Keycloak is another account's, {Since(view, "credit.hold")}: settle whose it is.",
            { Status: "closed", StatusReason: "deleted" } => $"{opened} Closed because the user is gone from Keycloak, {Since(view, "credit.close")}.",
            { Status: "active" } => opened,
            _ => $"{opened} Turned {account.Status} by somebody else ({account.StatusReason ?? "no reason given"}): the bridge leaves that as it is.",
        };
    }

    private static string NoAccountText(AccountView view) => view switch
    {
        { Known.UserState: "service_account" } => "No account because this is the service account of a client.",
        { Known: { UserState: "excluded" } known } => $"No account because {ExclusionText(known.Reason)}.",
        { Known: { UserState: "deleted" } known } => $"No account, and Keycloak had no such user at {At(known.CheckedAt)}.",
        { Known: { } known } => $"No account although there was to be one at {At(known.CheckedAt)}: its row was removed. {Backfill(view)}",
        { Hint: { State: "dead" } } => "No account because the bridge gave up on the user.",
        { Hint: { } hint } => $"No account yet: {hint.Cause} was heard by {hint.Source} at {At(hint.HintedAt)} and waits.",
        { Keycloak.User: not null } => $"No account because the bridge has not heard of the user. {Backfill(view)}",
        { Keycloak.Problem: null } => "No account: unknown to Keycloak too.",
        _ => "No account, and nothing is on record.",
    };

    private static string ExclusionText(string? reason) => reason switch
    {
        ExclusionReasons.Disabled => "the user is disabled in Keycloak",
        ExclusionReasons.NoEmail => "the user has no e-mail address",
        ExclusionReasons.EmailNotVerified => "the e-mail address is not verified",
        ExclusionReasons.EmailDomain => "the e-mail address is in no domain that is let in",
        ExclusionReasons.Attribute => "the user lacks the attribute that the rules ask for",
        ExclusionReasons.IdentityProvider => "the user is linked to no identity provider that is let in",
        ExclusionReasons.NoAccountId => "the user lacks a value that the account id is made of",
        ExclusionReasons.AccountIdTaken => "the account of that id is somebody else's",
        _ => "a rule leaves this user out",
    };

    private static string HintText(AccountView view) => view.Hint switch
    {
        { State: "dead" } hint => string.Create(
            CultureInfo.InvariantCulture,
            $"The hint is dead after {hint.Attempts} tries ({hint.Error}): mend that, then `hints retry --realm {hint.Realm} --user {hint.KeycloakId}`."),
        { Error: { } error } hint => $"Its hint is tried again at {At(hint.DueAt)}, because: {error.TrimEnd('.')}.",
        { } hint when view.Account is not null => $"A hint waits since {At(hint.HintedAt)}.",
        _ => "",
    };

    private static string DifferenceText(AccountView view) => (view.Account?.Status, view.Keycloak) switch
    {
        (_, { Problem: not null }) => "Keycloak could not be asked.",
        ("active", { User.Enabled: false }) => $"Keycloak says that the user is disabled by now. {Backfill(view)}",
        ("active" or "held", { User: null }) => "Unknown to Keycloak now: only the event of a deletion closes the account.",
        ("held" or "closed", { User.Enabled: true }) when view.Account?.StatusReason is "disabled" or "deleted" =>
            $"Keycloak has the user enabled by now. {Backfill(view)}",
        _ => "",
    };

    private static string Since(AccountView view, string action) =>
        $"since {At(view.Audit.FirstOrDefault(row => row.Action == action)?.At ?? view.Account!.UpdatedAt)}";

    private static string Backfill(AccountView view) =>
        $"To look again: `backfill --realm {view.Realm ?? "REALM"} --user {view.Id}`.";

    private static string At(DateTimeOffset? instant) => instant?.ToString("u", CultureInfo.InvariantCulture) ?? "an unknown time";
}
