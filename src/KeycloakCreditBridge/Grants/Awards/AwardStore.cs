using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>Gives what a plan says is due, in the transaction that converged the same users.</summary>
internal static class AwardStore
{
    private static readonly string PaySql = SqlText.Of(
        typeof(AwardStore), "AwardStore.Pay.sql", ("accounts", SqlText.Of(typeof(AwardStore), "AwardStore.Known.sql")));

    private static readonly string PayOpenedSql = SqlText.Of(
        typeof(AwardStore), "AwardStore.Pay.sql", ("accounts", SqlText.Of(typeof(AwardStore), "AwardStore.Opened.sql")));

    // Converging and giving lock a user's record first, so that two batches with the same users wait for each other here, in order.
    private const string LockSql =
        """
        select 1 as locked
        from unnest(@Realms::text[], @KeycloakIds::text[]) as w (realm, keycloak_id)
        join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
        order by k.realm collate "C", k.keycloak_id collate "C"
        for no key update of k
        """;

    /// <summary>Locks the records of users whose accounts may be given something.</summary>
    public static Task LockAsync(
        NpgsqlConnection connection, IReadOnlyCollection<(string Realm, string KeycloakId)> users, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            LockSql,
            [
                users.Column("Realms", NpgsqlDbType.Text, user => user.Realm),
                users.Column("KeycloakIds", NpgsqlDbType.Text, user => user.KeycloakId),
            ],
            cancellationToken);

    /// <summary>Gives each award once, and records what was withheld from the accounts that this transaction opened.</summary>
    /// <param name="connection">In the transaction that converged the users.</param>
    /// <param name="awards">What is due, and what is withheld.</param>
    /// <param name="now">The time of the ledger rows.</param>
    /// <param name="endsFrom">From when ends count; null for the database's time.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <param name="opened">The accounts that this transaction opened at that time.</param>
    public static async Task<IReadOnlyList<AwardedGrant>> GiveAsync(
        NpgsqlConnection connection, IReadOnlyList<Award> awards, DateTimeOffset now, DateTimeOffset? endsFrom,
        CancellationToken cancellationToken, IReadOnlyCollection<OpenedAccount>? opened = null)
    {
        var affordable = await BudgetedAwards.TakeAsync(connection, awards, endsFrom, cancellationToken);
        var accounts = (opened ?? []).ToDictionary(account => (account.Realm, account.KeycloakId));
        var ofOpened = affordable.ToLookup(award => accounts.ContainsKey((award.Realm, award.KeycloakId)));
        IReadOnlyList<AwardedGrant> given = [
            .. await PayAsync(connection, [.. ofOpened[false]], accounts, now, endsFrom, cancellationToken),
            .. await PayAsync(connection, [.. ofOpened[true]], accounts, now, endsFrom, cancellationToken)];
        await BudgetedAwards.GiveBackAsync(connection, affordable, given, now, endsFrom, cancellationToken);
        return given;
    }

    // Either all of them or none concern accounts that were opened now.
    private static async Task<IReadOnlyList<AwardedGrant>> PayAsync(
        NpgsqlConnection connection, IReadOnlyList<Award> awards,
        Dictionary<(string Realm, string KeycloakId), OpenedAccount> opened, DateTimeOffset now, DateTimeOffset? endsFrom,
        CancellationToken cancellationToken)
    {
        if (awards.Count == 0)
            return [];
        OpenedAccount?[] accounts = [.. awards.Select(award => opened.GetValueOrDefault((award.Realm, award.KeycloakId)))];
        return await connection.QueryPreparedAsync<AwardedGrant>(
            accounts[0] is null ? PaySql : PayOpenedSql,
            [
                accounts.Column("NewAccounts", NpgsqlDbType.Text, account => account?.AccountId),
                accounts.Column("NewTiers", NpgsqlDbType.Text, account => account?.Tier),
                accounts.Column("NewBalances", NpgsqlDbType.Numeric, account => account?.Balance),
                awards.Column("Realms", NpgsqlDbType.Text, award => award.Realm),
                awards.Column("KeycloakIds", NpgsqlDbType.Text, award => award.KeycloakId),
                awards.Column("ReadAts", NpgsqlDbType.TimestampTz, award => award.ReadAt.UtcDateTime),
                awards.Column("Sources", NpgsqlDbType.Text, award => award.Source),
                awards.Column("Keys", NpgsqlDbType.Text, award => award.Key),
                awards.Column("Policies", NpgsqlDbType.Text, award => award.Policy),
                awards.Column("Versions", NpgsqlDbType.Text, award => award.Version),
                awards.Column("Amounts", NpgsqlDbType.Numeric, award => award.Choice.Credits),
                awards.Column("Withheld", NpgsqlDbType.Numeric, award => award.Withheld),
                awards.Column("Rules", NpgsqlDbType.Text, award => award.Choice.Rule),
                awards.Column("Exhausted", NpgsqlDbType.Text, award => award.Exhausted),
                awards.Column("ToTiers", NpgsqlDbType.Text, award => award.Choice.Terms?.Name),
                awards.Column("Caps", NpgsqlDbType.Numeric, award => award.Choice.Terms?.MonthlyCap),
                awards.Column("ToUnlimited", NpgsqlDbType.Boolean, award => award.Choice.Terms?.Unlimited),
                awards.Column("Due", NpgsqlDbType.Boolean, award => award.IsDue),
                awards.Column("Seconds", NpgsqlDbType.Double, award => award.Choice.ExpiresAfter?.TotalSeconds),
                awards.Column("Evidence", NpgsqlDbType.Text, award => award.Evidence),
                awards.Column("ClaimKinds", NpgsqlDbType.Text, award => award.Claim?.Kind),
                awards.Column("ClaimHashes", NpgsqlDbType.Bytea, award => award.Claim?.Hash),
                new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
                new NpgsqlParameter("EndsFrom", NpgsqlDbType.TimestampTz) { Value = endsFrom?.UtcDateTime ?? (object)DBNull.Value },
            ],
            cancellationToken);
    }
}

/// <summary>An account that a transaction opened for a user.</summary>
internal sealed record OpenedAccount(string Realm, string KeycloakId, string AccountId, string? Tier, decimal? Balance);

/// <summary>A grant for one user.</summary>
/// <param name="ReadAt">When Keycloak was asked: a newer reading on record withholds it.</param>
/// <param name="Source">What led to the user.</param>
/// <param name="Key">The ledger's `grant_key`.</param>
/// <param name="Policy">The policy that gives it.</param>
/// <param name="Version">Stands for the policy's configuration.</param>
/// <param name="Choice">What it comes to.</param>
/// <param name="Withheld">What a new account records as withheld until it is given.</param>
/// <param name="IsDue">Whether it is given now; otherwise a new account only records that it waits.</param>
internal sealed record Award(
    string Realm, string KeycloakId, DateTimeOffset ReadAt, string Source, string Key, string Policy, string Version,
    GrantChoice Choice, decimal Withheld, bool IsDue)
{
    /// <summary>What it comes to where the budget of <see cref="Choice"/> is used up, in this order.</summary>
    public IReadOnlyList<GrantChoice> Others { get; init; } = [];

    /// <summary>Whether it has an end, or has one where a budget is used up.</summary>
    public bool HasEnd => Others.Prepend(Choice).Any(choice => choice.ExpiresAfter is not null);

    /// <summary>Whether the account is opened with it, so that there is no record to lock.</summary>
    public bool Opens { get; init; }

    /// <summary>Rules whose budgets are used up, by comma; null when none is.</summary>
    public string? Exhausted { get; init; }

    /// <summary>What was true when it was given, as JSON without secrets and addresses; null where nothing is to be said.</summary>
    public string? Evidence { get; init; }

    /// <summary>What it is given for, once for all accounts; null where it is given to each user.</summary>
    public Claim? Claim { get; init; }
}

/// <summary>A grant that was given.</summary>
internal sealed record AwardedGrant(
    string Realm, string KeycloakId, string AccountId, string Key, string Policy, decimal Credits, string Tier, decimal Balance,
    string? Exhausted, string? Rule);
