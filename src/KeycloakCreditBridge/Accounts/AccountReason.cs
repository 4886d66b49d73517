using System.Globalization;
using KeycloakCreditBridge.Configuration.Shell;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Accounts;

/// <summary>Says why an account has its status, from the records and Keycloak's answer.</summary>
internal static class AccountReason
{
    public static string Of(AccountView view)
    {
        string[] sentences = [
            view.Account is null ? NoAccountText(view) : AccountText(view), PendingGrantText(view), WithheldText(view), HintText(view),
            DifferenceText(view)];
        return string.Join(' ', sentences.Where(sentence => sentence.Length > 0));
    }

    private static string AccountText(AccountView view)
    {
        var account = view.Account!;
        var opened = account.Source is null
            ? $"Is older than the bridge: created at {At(account.CreatedAt)}."
            : $"Opened by {account.Source} at {At(account.CreatedAt)}.";
        return account switch
        {
            { Status: "held", StatusReason: "disabled" } =>
                $"{opened} Held because the user is disabled in Keycloak, {Since(view, "credit.hold")}.",
            { Status: "held", StatusReason: ExclusionReasons.AccountIdTaken } =>
                $"{opened} Held because its new account id belongs to another account, {Since(view, "credit.hold")}: "
                + "decide which user keeps it.",
            { Status: "closed", StatusReason: "deleted" } =>
                $"{opened} Closed because the user was deleted in Keycloak, {Since(view, "credit.close")}.",
            { Status: "closed", StatusReason: "service_account" } =>
                $"{opened} Closed because the user is the service account of a client, {Since(view, "credit.close")}.",
            { Status: "active" } => opened,
            _ =>
                $"{opened} Its status {account.Status} was set outside the bridge ({account.StatusReason ?? "no reason given"}), "
                + "which keeps it.",
        };
    }

    private static string NoAccountText(AccountView view) => view switch
    {
        { Known.UserState: "service_account" } => "No account because this is the service account of a client.",
        { Known: { UserState: "excluded" } known } => $"No account because {ExclusionText(known.Reason)}.",
        { Known: { UserState: "deleted" } known } => $"No account, and Keycloak had no such user at {At(known.CheckedAt)}.",
        { Known: { } known } => $"No account although one was due at {At(known.CheckedAt)}: its row was removed. {Backfill(view)}",
        { Hint: { State: "dead" } } => "No account because the hint of the user is dead.",
        { Hint: { } hint } => $"No account yet: the hint {hint.Cause} arrived by {hint.Source} at {At(hint.HintedAt)} and waits.",
        { Keycloak.User: not null } => $"No account because no hint of the user arrived. {Backfill(view)}",
        { Keycloak.Problem: null } => "No account, and Keycloak does not know the user.",
        _ => "No account, and nothing is on record.",
    };

    private static string PendingGrantText(AccountView view) => (view.Account, view.Keycloak.User) switch
    {
        (not { GrantPending: true }, _) => "",
        ({ Status: "closed" }, _) => "Its opening grant was never given: the address was not verified before the closing.",
        (_, { EmailVerified: true }) =>
            "Its opening grant waits, although Keycloak says that the address is verified: it follows at the next evaluation within the "
            + $"rules of eligibility. {Backfill(view)}",
        _ => "Its opening grant waits until Keycloak says that the address is verified.",
    };

    private static string WithheldText(AccountView view) => view.Account is { Withheld: { } withheld, Status: not "closed" }
        ? string.Create(
            CultureInfo.InvariantCulture, $"A policy withholds {withheld:0.######} welcome credits until all that it requires is met.")
        : "";

    private static string ExclusionText(string? reason) => reason switch
    {
        ExclusionReasons.Disabled => "the user is disabled in Keycloak",
        ExclusionReasons.NoEmail => "the user has no e-mail address",
        ExclusionReasons.EmailNotVerified => "the e-mail address is not verified",
        ExclusionReasons.EmailDomain => "the domain of the e-mail address is not allowed",
        ExclusionReasons.Attribute => "the user lacks the required attribute",
        ExclusionReasons.IdentityProvider => "the user is not linked to an allowed identity provider",
        ExclusionReasons.NoAccountId => "the user lacks a value that the account id needs",
        ExclusionReasons.AccountIdTaken => "the account of that id belongs to another user",
        _ => "a rule excludes this user",
    };

    private static string HintText(AccountView view) => view.Hint switch
    {
        { State: "dead" } hint => string.Create(
            CultureInfo.InvariantCulture,
            $"The hint is dead after {hint.Attempts} tries ({hint.Error}): correct that, then run "
            + $"`hints retry --realm {ShellWord.Of(hint.Realm)} --user {ShellWord.Of(hint.KeycloakId)}`."),
        { Error: { } error } hint => $"The hint is tried again at {At(hint.DueAt)} after this error: {error.TrimEnd('.')}.",
        { } hint when view.Account is not null => $"A hint has waited since {At(hint.HintedAt)}.",
        _ => "",
    };

    private static string DifferenceText(AccountView view) => (view.Account?.Status, view.Keycloak) switch
    {
        (_, { Problem: not null }) => "Keycloak could not be read.",
        ("active", { User.Enabled: false }) => $"The user is disabled in Keycloak now. {Backfill(view)}",
        ("active" or "held", { User: null }) =>
            "Keycloak does not know the user now: the event of the deletion or a complete run closes the account.",
        ("held" or "closed", { User.Enabled: true }) when view.Account?.StatusReason is "disabled" or "deleted" =>
            $"The user is enabled in Keycloak now. {Backfill(view)}",
        _ => "",
    };

    private static string Since(AccountView view, string action) =>
        $"since {At(view.Audit.FirstOrDefault(row => row.Action == action)?.At ?? view.Account!.UpdatedAt)}";

    private static string Backfill(AccountView view) =>
        $"To re-evaluate: `backfill --realm {ShellWord.Of(view.Realm ?? "REALM")} --user {ShellWord.Of(view.Id)}`.";

    private static string At(DateTimeOffset? instant) => instant?.ToString("u", CultureInfo.InvariantCulture) ?? "an unknown time";
}
