using System.Text.Json.Nodes;
using KeycloakCreditBridge.Chaos.Faults;
using KeycloakCreditBridge.Chaos.World;
using Npgsql;

namespace KeycloakCreditBridge.Chaos.Evidence;

/// <summary>All that the checks go by: what callers saw, what Keycloak says, what the database holds, what an operator could see.</summary>
internal sealed record CaseFile
{
    public required History History { get; init; }

    public IReadOnlyCollection<Call> Calls { get; init; } = [];

    public required IReadOnlyList<ListedUser> Users { get; init; }

    /// <summary>By owner.</summary>
    public required ILookup<string, AccountState> Accounts { get; init; }

    /// <summary>All accounts.</summary>
    public IEnumerable<AccountState> EachAccount => Accounts.SelectMany(accounts => accounts);

    public required IReadOnlyDictionary<string, KnownUser> Known { get; init; }

    /// <summary>By owner, in the order of booking.</summary>
    public required ILookup<string, LedgerEntryRow> Ledger { get; init; }

    public required IReadOnlyList<UnchargedReport> UnchargedReports { get; init; }

    public required IReadOnlyList<Backlog> Backlog { get; init; }

    public required IReadOnlyList<LotSum> Lots { get; init; }

    public required IReadOnlyList<CodeRow> Codes { get; init; }

    public required IReadOnlyList<RedemptionRow> Redemptions { get; init; }

    public required IReadOnlyList<ReferralRow> Referrals { get; init; }

    /// <summary>Events about credits, in the order of their places.</summary>
    public required IReadOnlyList<EventRow> Events { get; init; }

    /// <summary>Ids of events that a program has taken, in the order in which it did.</summary>
    public IReadOnlyList<string> TakenEvents { get; init; } = [];

    public IReadOnlyCollection<InjectedFault> Faults { get; init; } = [];

    public IReadOnlyList<Scrape> Scrapes { get; init; } = [];

    public IReadOnlyList<(int Replica, LogLine Line)> Log { get; init; } = [];

    /// <summary>What is wrong with the processes themselves.</summary>
    public IReadOnlyList<string> Ends { get; init; } = [];

    /// <summary>Reads the database over a connection, and takes the rest as it is.</summary>
    public static async Task<CaseFile> ReadAsync(NpgsqlConnection connection, History history, IReadOnlyList<ListedUser> users)
    {
        var store = new EvidenceStore(connection);
        var accounts = await store.AccountsAsync();
        return new CaseFile
        {
            History = history,
            Calls = history.Calls,
            Users = users,
            Accounts = accounts.ToLookup(account => account.Owner, StringComparer.Ordinal),
            Known = (await store.KnownUsersAsync()).ToDictionary(user => user.KeycloakId, StringComparer.Ordinal),
            Ledger = (await store.LedgerAsync()).ToLookup(entry => entry.Owner, StringComparer.Ordinal),
            UnchargedReports = await store.UnchargedReportsAsync(),
            Backlog = await store.BacklogAsync(),
            Lots = await store.LotsAsync(accounts),
            Codes = await store.CodesAsync(),
            Redemptions = await store.RedemptionsAsync(),
            Referrals = await store.ReferralsAsync(),
            Events = await store.EventsAsync(),
        };
    }

    /// <summary>All users of the realm, as Keycloak lists them.</summary>
    public static async Task<IReadOnlyList<ListedUser>> ListUsersAsync(ChaosWorld world, CancellationToken token)
    {
        const int page = 1_000;
        List<ListedUser> users = [];
        while (true)
        {
            JsonArray listed = await world.Admin.ListUsersAsync(ChaosWorld.Realm, users.Count, page, token);
            users.AddRange(listed.Select(user => new ListedUser(
                (string)user!["id"]!, (string)user["username"]!, (bool)user["enabled"]!)));
            if (listed.Count < page)
                return users;
        }
    }
}
