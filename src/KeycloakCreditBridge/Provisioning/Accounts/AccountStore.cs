using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Provisioning.Accounts.Batches;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>
/// Converges a batch of users in one statement, which is one transaction. Only renames of accounts and switches of their tiers are written
/// elsewhere, the latter in the same transaction.
/// </summary>
internal sealed class AccountStore(
    NpgsqlDataSource dataSource, GrantEnds? ends = null, PolicyMetrics? policyMetrics = null, AssignmentMetrics? assignments = null,
    HoldMetrics? holdMetrics = null)
{
    private const string DueSql =
        $"""
        select c.user_id
        from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[]) as u (realm, keycloak_id, account_id)
        cross join lateral (
            select o.user_id, o.next_expiry from user_credits o where o.realm = u.realm and o.keycloak_id = u.keycloak_id
            union
            select o.user_id, o.next_expiry from user_credits o where o.user_id = u.account_id) c
        where {GrantEnds.IsDue}
        """;

    /// <summary>Common table expressions that turn `desired` into `decision`.</summary>
    internal static readonly string Decision = SqlText.Of(
        typeof(AccountStore), "AccountStore.Decision.sql", ("own_reasons", StatusReasons.Own));

    // What a grant comes to where each address or inbox is granted once.
    private const string AmountByAddress =
        """
        case
            when t.claim_hash is null then t.amount
            when (t.claim_kind, t.claim_hash, t.account_id) in (select kind, hash, first_user from claimed) then t.amount
            when (select g.first_user from grant_claims g
                where g.kind = t.claim_kind and g.hash = t.claim_hash and g.policy = 'welcome') = t.account_id then t.amount
            else 0 end
        """;

    private static readonly string ConvergeLotsSql = SqlText.Of(
        typeof(AccountStore), "AccountStore.Converge.sql", ("decision", Decision), ("own_reasons", StatusReasons.Own), ("claimed", ""),
        ("granted_amount", "t.amount"));

    private static readonly string ConvergeAddressesLotsSql = SqlText.Of(
        typeof(AccountStore), "AccountStore.Converge.sql", ("decision", Decision), ("own_reasons", StatusReasons.Own),
        ("claimed", SqlText.Of(typeof(AccountStore), "AccountStore.Claimed.sql")), ("granted_amount", AmountByAddress));

    private static readonly string ConvergeSql = SqlText.Without("lots", ConvergeLotsSql);

    private static readonly string ConvergeAddressesSql = SqlText.Without("lots", ConvergeAddressesLotsSql);

    /// <summary>
    /// Converges users to their desired states. Each user at most once in a batch, and all decided by the same tiers.
    /// </summary>
    /// <param name="planned">The states, and the grants of their accounts, which are given in the same transaction.</param>
    /// <param name="now">The time of what is written.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    public async Task<IReadOnlyList<AccountChange>> ConvergeAsync(
        PlannedBatch planned, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var (batch, awards) = (planned.States, planned.Awards);
        var tiers = batch[0].Tiers;
        var needsLock = batch.Any(BatchLockStore.NeedsLock);
        var sql = SqlFor(batch);
        if (ends is not null)
            await ends.EnsureAsync(ends.Opening.ExpiresAfter is not null || planned.HasEnds, cancellationToken);
        AskedClaim[] claims = [
            .. batch.Where(item => item.Claim is not null).Select(item => new AskedClaim(item.Claim!, WelcomeTerms.Policy)),
            .. awards.Where(award => award is { IsDue: true, Claim: not null }).Select(award => new AskedClaim(award.Claim!, award.Policy)),
        ];
        if (!needsLock && !planned.HasGrants && !batch.Any(item => item.LeavesHint) && !claims.Any(asked => asked.Claim.Others.Count > 0))
            return await dataSource.QueryPreparedAsync<AccountChange>(sql, Parameters(batch, now), cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        (string Realm, string KeycloakId)[] users = [
            .. awards.Where(award => !award.Opens).Select(award => (award.Realm, award.KeycloakId)),
            .. planned.Holds.Select(hold => (hold.Realm, hold.KeycloakId))];
        if (users.Length > 0)
            await AwardStore.LockAsync(connection, users, cancellationToken);

        await ClaimStore.CarryAsync(connection, claims, cancellationToken);
        var differs = needsLock && await BatchLockStore.LockAsync(connection, batch, ends, cancellationToken);
        // While the opening grant waits, a switch pays nothing. After the grant it would pay on top of a grant of the new tier.
        var before = differs && batch.Any(item => item is { TierFromKeycloak: not null, Claim: not null })
            ? await TierFollowStore.FollowAsync(connection, batch, tiers.ProRating, ends, now, cancellationToken)
            : [];
        var changes = await connection.QueryPreparedAsync<AccountChange>(sql, Parameters(batch, now), cancellationToken);
        IReadOnlyList<AwardedGrant> given = awards.Count == 0
            ? []
            : await AwardStore.GiveAsync(
                connection, awards, now, ends?.At, cancellationToken,
                [.. changes.Where(change => change.Opened).Select(change => new OpenedAccount(
                    change.Realm, change.KeycloakId, change.AccountId, change.Tier, change.Balance))]);
        var arms = planned.Arms.Count == 0 ? [] : ArmsOf(planned, given);
        if (arms.Count > 0)
            await AssignmentStore.KeepAsync(connection, arms, now, cancellationToken);
        if (planned.Held.Count > 0)
            await HeldRedemptionStore.PayAsync(connection, planned.Held, now, ends?.At, cancellationToken);
        var opened = planned.Holds.Count == 0 ? [] : await HoldStore.OpenAsync(connection, planned.Holds, now, cancellationToken);
        if (planned.Evidence.Count > 0)
            await TaskEvidenceStore.KeepAsync(connection, planned.Evidence, cancellationToken);
        if (planned.Times.Count > 0)
            await TaskEvidenceStore.ScheduleAsync(connection, planned.Times, cancellationToken);
        var switches = await TierFollowStore.FollowAsync(connection, batch, tiers.ProRating, ends, now, cancellationToken);
        await ClaimStore.CompleteAsync(connection, claims, now, cancellationToken);
        await FirstReadHintStore.LeaveAsync(connection, batch, now, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        policyMetrics?.Given(given);
        assignments?.Kept(arms);
        holdMetrics?.Opened(opened);
        return [
            .. before, .. changes, .. switches,
            .. given.Where(grant => grant.Key == WelcomeTerms.Policy).Select(grant => new AccountChange(
                grant.AccountId, grant.Tier, grant.Balance, Opened: false, Status: null, Welcomed: true, grant.Realm, grant.KeycloakId)),
        ];
    }

    // A user whose welcome another account's claim refused is in no arm.
    private static IReadOnlyCollection<AssignedUser> ArmsOf(PlannedBatch planned, IReadOnlyList<AwardedGrant> given)
    {
        var paid = given.Where(grant => grant.Key == WelcomeTerms.Policy).ToDictionary(grant => (grant.Realm, grant.KeycloakId));
        var refused = planned.Awards.Where(award => award is { IsDue: true, Claim: not null, Key: WelcomeTerms.Policy })
            .Select(award => (award.Realm, award.KeycloakId)).Except(paid.Keys).ToHashSet();
        return [
            .. planned.Arms.Where(user => !(user.Arm.IsNew && refused.Contains((user.Realm, user.KeycloakId))))
                .Select(user => user with
                {
                    IsExposed = paid.TryGetValue((user.Realm, user.KeycloakId), out var grant) && grant.Rule == user.Arm.Rule,
                })];
    }

    /// <summary>Books what has ended in the accounts of these users: none that is about to open again or lose its balance is converged
    /// before.</summary>
    public async Task SettleAsync(IReadOnlyList<DesiredState> batch, CancellationToken cancellationToken)
    {
        if (ends is null)
            return;
        var due = await dataSource.QueryPreparedAsync<string>(
            DueSql,
            [
                batch.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                batch.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                batch.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
                GrantEnds.AtOf(ends),
            ],
            cancellationToken);
        if (due.Count > 0)
            await ends.SettleAsync(due, cancellationToken);
    }

    private string SqlFor(DesiredState[] batch)
    {
        var hasAddresses = Array.Exists(batch, item => item.Claim is not null);
        return ends?.Opening.IsStamped == true || Array.Exists(batch, item => item.Forfeits)
            ? hasAddresses ? ConvergeAddressesLotsSql : ConvergeLotsSql
            : hasAddresses ? ConvergeAddressesSql : ConvergeSql;
    }

    private NpgsqlParameter[] Parameters(DesiredState[] batch, DateTimeOffset now) =>
    [
        new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
        .. DesiredStateColumns.Of(batch), .. DesiredStateColumns.OpeningOf(batch),
        new NpgsqlParameter("TierNames", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = batch[0].Tiers.Names },
        new NpgsqlParameter("TierCredits", NpgsqlDbType.Array | NpgsqlDbType.Numeric) { Value = batch[0].Tiers.Credits },
        GrantEnds.AtOf(ends), .. GrantEnds.Parameters(ends?.Opening),
    ];
}
