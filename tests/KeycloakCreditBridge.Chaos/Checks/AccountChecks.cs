using KeycloakCreditBridge.Chaos.Evidence;

namespace KeycloakCreditBridge.Chaos.Checks;

/// <summary>Each user that should has one account with one opening, and its status is as Keycloak says.</summary>
internal static class AccountChecks
{
    private const string Opening = "signup";

    public static IEnumerable<Finding> Accounts(CaseFile file)
    {
        foreach (var user in file.Users)
        {
            var known = file.Known.GetValueOrDefault(user.Id);
            var account = file.Accounts[user.Id].FirstOrDefault();
            if (account is null || known?.AccountId != account.AccountId)
                yield return new("accounts", $"{user.Username} ({user.Id}) has no account; on record: {known?.UserState ?? "nothing"}");
            else if (user.Enabled ? account.Status != "active" : account.Status != "held")
                yield return new(
                    "status", $"{user.Username} ({user.Id}) is {(user.Enabled ? "enabled" : "disabled")} in Keycloak, and its account is "
                    + $"{account.Status} ({account.StatusReason})");
        }

        var listed = file.Users.Select(user => user.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var account in file.EachAccount)
        {
            if (account.KeycloakId is null || (!listed.Contains(account.KeycloakId) && account.Status != "closed"))
                yield return new(
                    "status",
                    $"account {account.AccountId} is {account.Status}, and Keycloak has no user {account.KeycloakId ?? "for it"}");
        }

        var owners = file.EachAccount.CountBy(account => account.Owner);
        foreach (var twice in owners.Where(owner => owner.Value > 1))
            yield return new("accounts", $"user {twice.Key} has {twice.Value} accounts");
    }

    public static IEnumerable<Finding> Openings(CaseFile file)
    {
        foreach (var account in file.EachAccount)
        {
            var openings = file.Ledger[account.Owner].Count(entry => entry.GrantKey == Opening);
            if (openings != 1 || account.Openings != 1)
                yield return new(
                    "openings", $"account {account.AccountId} ({account.Status}) has {openings} opening grants and {account.Openings} "
                    + "audit rows of one");
        }

        foreach (var orphan in file.Ledger.Where(group => !file.Accounts.Contains(group.Key)))
            yield return new("openings", $"{orphan.Key} has {orphan.Count()} ledger rows and no account");
    }
}
