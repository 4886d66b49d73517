using System.Globalization;
using System.Text;
using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Cli.Account;

/// <summary>One user as text: a line for each known fact.</summary>
internal static class AccountReport
{
    private const int NameWidth = 11;

    public static string Text(AccountView view)
    {
        var text = new StringBuilder();
        var user = view.Realm is null ? $"{view.Id}, in no realm on record" : $"{view.Id} in realm {view.Realm}";
        text.Append(Printable.Of(user)).Append('\n');
        Line("why", view.Why);
        Line("account", view.Account is { } account ? Text(account) : "none");
        Line("on record", view.Known is { } known ? Text(known) : "not known");
        Line("hint", view.Hint is { } hint ? Text(hint) : "none");
        Line("Keycloak", Text(view.Keycloak));
        foreach (var grant in view.Grants)
            Line("grant", Text(grant));
        foreach (var row in view.Ledger)
            Line("ledger", Text(row));
        foreach (var row in view.Audit)
            Line("audit", Text(row));
        return text.ToString();

        void Line(string name, string value) =>
            text.Append(Printable.Wrapped($"  {name.PadRight(NameWidth)}{Printable.Of(value)}", NameWidth + 4)).Append('\n');
    }

    private static string Text(AccountRow account) =>
        $"{account.Status}{(account.StatusReason is { } reason ? $" ({reason})" : "")}, {Number(account.Balance)} left "
        + $"of {Number(account.Allocated)}, tier {account.Tier}{(account.Unlimited ? ", unlimited" : "")}, "
        + $"period ends {At(account.PeriodEnd)}{(account.GrantPending ? ", opening grant waits for a verified address" : "")}";

    private static string Text(KnownUserRow known) =>
        $"{known.UserState}, created in Keycloak {At(known.CreatedAt)}, last evaluated {At(known.CheckedAt)}"
        + (known.Tier is { } tier ? $", tier {tier} in Keycloak" : "");

    private static string Text(ListedHint hint) => string.Create(
        CultureInfo.InvariantCulture,
        $"{hint.State}, {hint.Cause} by {hint.Source} at {At(hint.HintedAt)}, {hint.Attempts} tries")
        + (hint.Error is { } error ? $": {error}" : "");

    private static string Text(KeycloakLookup lookup) => lookup switch
    {
        { User: { } user } => Text(user),
        { Problem: { } problem } => $"not reachable: {problem}",
        _ => "no such user",
    };

    private static string Text(KeycloakUser user) =>
        $"{user.Username}, {user.Email ?? "no e-mail address"}, {(user.Enabled ? "enabled" : "disabled")}, "
        + (user.EmailVerified ? "e-mail verified" : "e-mail not verified");

    private static string Text(GivenGrant grant) =>
        $"{At(grant.GrantedAt)} {grant.Key}, {Number(grant.Remainder)} left of {Number(grant.Amount)}, "
        + (grant.IsClosed ? $"{grant.CloseReason ?? "closed"}{(grant.ClosedAt is { } closed ? $" {At(closed)}" : "")}"
            : grant.ExpiresAt is { } end ? $"ends {At(end)}" : "never ends")
        + (grant.Reason is { } reason ? $", {reason}" : "");

    private static string Text(LedgerRow row) =>
        $"{At(row.At)} {row.Type} {Number(row.Amount)}{(row.BalanceAfter is { } balance ? $", then {Number(balance)}" : "")}"
        + $"{(row.GrantKey is { } key ? $", {key}" : "")}{(row.Reason is { } reason ? $", {reason}" : "")}";

    private static string Text(AuditRow row) =>
        $"{At(row.At)} {row.Action} {row.Result}{(row.Source is { } source ? $", by {source}" : "")}"
        + $"{(row.Error is { } error ? $": {error}" : "")}";

    private static string Number(decimal amount) => amount.ToString("0.00####", CultureInfo.InvariantCulture);

    private static string At(DateTimeOffset? instant) => instant is { } known ? Printable.Of(known) : "at an unknown time";
}
