using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Provisioning.Accounts.Batches;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>Compares many users with what is on record, and changes nothing.</summary>
internal sealed class AccountReviewStore(NpgsqlDataSource dataSource)
{
    private static readonly string DifferencesSql = SqlText.Of(
        typeof(AccountReviewStore), "AccountReviewStore.Differences.sql", ("decision", AccountStore.Decision));

    private const string KnownSql = "select keycloak_id from keycloak_users where realm = @Realm::text and keycloak_id = @KeycloakId::text";

    private const string UnchangedSql =
        $"""
        select u.keycloak_id
        from unnest(@KeycloakIds::text[], @AccountIds::text[], @Enabled::boolean[], @BriefFingerprints::smallint[],
                @CreatedAts::timestamptz[], @Verified::boolean[], @Meets::boolean[], @DoneTasks::text[])
            as u (keycloak_id, named_account, enabled, brief_fingerprint, created_at, verified, meets, done_task)
        join keycloak_users k on k.realm = @Realm::text and k.keycloak_id = u.keycloak_id
        left join user_credits c on c.user_id = k.account_id and c.realm = @Realm and c.keycloak_id = k.keycloak_id
        where (u.created_at is null or u.created_at = k.created_at or u.keycloak_id like 'f:%')
            and (c.grant_pending is not true or not u.verified)
            and (c.withheld_credits is null or not u.meets or c.user_id in (
                select s.user_id from stopped_grants s where s.user_id = c.user_id and s.grant_key = 'welcome'))
            and not exists (
                select from code_redemptions r
                where r.user_id = c.user_id and r.state = 'held' and u.verified and (
                    select s.user_id from stopped_grants s where s.user_id = r.user_id and s.grant_key = 'code:' || r.code_id) is null)
            and (u.done_task is null or (
                select p.activated_at <= c.created_at from grant_policies p
                where p.realm = k.realm and p.policy = u.done_task and p.disabled_at is null) is not true or (
                select t.user_id from credit_transactions t where t.user_id = c.user_id and t.grant_key = u.done_task) is not null or (
                select s.user_id from stopped_grants s where s.user_id = c.user_id and s.grant_key = u.done_task) is not null)
            and k.reason is distinct from 'account_id_taken' and (k.user_state = 'excluded' or c.user_id is not null) and case k.user_state
            when 'account' then u.enabled and coalesce(u.named_account = k.account_id, true)
                and (c.status = 'active' or c.status_reason is null or c.status_reason not in {StatusReasons.Own})
            when 'held' then not u.enabled and coalesce(u.named_account = k.account_id, true)
                and c.status <> 'active' and coalesce(c.status_reason, '') not in {StatusReasons.OwnClosings}
            when 'excluded' then c.user_id is null and k.brief_fingerprint = u.brief_fingerprint
            else false end
        """;

    /// <summary>The user of this id, if it is on record.</summary>
    public Task<IReadOnlyList<UserOnRecord>> KnownAsync(string realm, string keycloakId, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<UserOnRecord>(
            KnownSql,
            [
                new NpgsqlParameter("Realm", NpgsqlDbType.Text) { Value = realm },
                new NpgsqlParameter("KeycloakId", NpgsqlDbType.Text) { Value = keycloakId },
            ],
            cancellationToken);

    /// <summary>Which of these users are on record otherwise than they should be, or not at all.</summary>
    public Task<IReadOnlyList<AccountDifference>> DifferencesAsync(
        IReadOnlyList<DesiredState> batch, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<AccountDifference>(
            DifferencesSql,
            [
                .. DesiredStateColumns.Of(batch), .. DesiredStateColumns.TiersOf(batch),
                batch.Column("CreatedAts", NpgsqlDbType.TimestampTz, item => item.CreatedAt?.UtcDateTime),
                batch.Column("MeetsGate", NpgsqlDbType.Boolean, item => item.Done.MeetsWelcome),
                batch.Column("DoneTasks", NpgsqlDbType.Text, item => item.Done.Task),
            ],
            cancellationToken);

    /// <summary>Those of a realm's users of which nothing that a listing shows has changed since they were evaluated.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="users">As listed, each with its account id, null where a listing is not enough for it, its fingerprint, and
    /// what the listing shows to be due.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public Task<IReadOnlyList<UserOnRecord>> UnchangedAsync(
        string realm, IReadOnlyList<(Subject User, string? AccountId, short Fingerprint, DoneByListing Done)> users,
        CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<UserOnRecord>(
            UnchangedSql,
            [
                new NpgsqlParameter("Realm", NpgsqlDbType.Text) { Value = realm },
                users.Column("KeycloakIds", NpgsqlDbType.Text, item => item.User.KeycloakId),
                users.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
                users.Column("Enabled", NpgsqlDbType.Boolean, item => item.User.Enabled),
                users.Column("BriefFingerprints", NpgsqlDbType.Smallint, item => item.Fingerprint),
                users.Column("CreatedAts", NpgsqlDbType.TimestampTz, item => item.User.CreatedAt?.UtcDateTime),
                users.Column("Verified", NpgsqlDbType.Boolean, item => item.User.EmailVerified),
                users.Column("Meets", NpgsqlDbType.Boolean, item => item.Done.MeetsWelcome),
                users.Column("DoneTasks", NpgsqlDbType.Text, item => item.Done.Task),
            ],
            cancellationToken);
}

/// <summary>A user on record.</summary>
internal sealed record UserOnRecord(string KeycloakId);
