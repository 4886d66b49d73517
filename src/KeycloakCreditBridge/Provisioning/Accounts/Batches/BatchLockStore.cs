using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts.Batches;

/// <summary>Locks the records of a batch before it is converged, where one statement does not see enough of them.</summary>
internal static class BatchLockStore
{
    // A rename between a statement's snapshot and its writing would leave the old id on record, and a followed tier is switched once.
    // Rows of users of other realms are not locked here: every writer locks those after their accounts.
    private const string LockUsersSql =
        """
        select w.follows_tier is true and k.checked_at <= w.read_at and k.tier is distinct from w.mapped_tier as differs
        from unnest(@Realms::text[], @KeycloakIds::text[], @ReadAts::timestamptz[], @FollowsTier::boolean[], @MappedTiers::text[])
            as w (realm, keycloak_id, read_at, follows_tier, mapped_tier)
        join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
        order by k.realm collate "C", k.keycloak_id collate "C"
        for no key update of k
        """;

    // All accounts of the batch at once: converging locks some and the tier switch others, and in two passes the order of all is lost.
    private const string LockAccountsSql =
        $"""
        select case when {GrantEnds.IsDue} then c.user_id end as due
        from (
            select distinct coalesce(k.account_id, w.account_id) as account_id
            from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[]) as w (realm, keycloak_id, account_id)
            left join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id) a
        join user_credits c on c.user_id = a.account_id
        order by c.user_id collate "C"
        for no key update of c
        """;

    /// <summary>Whether a user's record is locked first.</summary>
    public static bool NeedsLock(DesiredState state) => state.Renames || state.FollowsTiers;

    /// <summary>Locks the records, and then all accounts if the tier of one of them may be switched. Returns whether it may.
    /// What is due in them is booked out then.</summary>
    public static async Task<bool> LockAsync(
        NpgsqlConnection connection, IReadOnlyList<DesiredState> batch, GrantEnds? ends, CancellationToken cancellationToken)
    {
        DesiredState[] locked = [.. batch.Where(NeedsLock)];
        var differ = await connection.QueryPreparedAsync<bool>(
            LockUsersSql,
            [
                locked.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                locked.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                locked.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
                .. DesiredStateColumns.TiersOf(locked),
            ],
            cancellationToken);
        if (!differ.Contains(true))
            return false;
        var due = await connection.QueryPreparedAsync<string?>(
            LockAccountsSql,
            [
                batch.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                batch.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                batch.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
                GrantEnds.AtOf(ends),
            ],
            cancellationToken);
        if (ends is not null)
            await ends.SettleAsync(connection, [.. due.OfType<string>()], cancellationToken);
        return true;
    }
}
