using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>Compares many users with what is on record, and changes nothing.</summary>
internal sealed class AccountReviewStore(NpgsqlDataSource dataSource)
{
    // The status counts too: two readings that converge at the same moment can leave the older one's status beside the newer one's record.
    // So does the creation, by which users are counted; that of a federated user without import is made up anew each time.
    private const string DifferencesSql =
        $"""
        with judgement as (
            select * from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[], @Dispositions::text[], @Reasons::text[],
                    @Otherwise::text[], @Renames::boolean[], @Inherits::boolean[], @Unproven::boolean[], @CreatedAts::timestamptz[], @ReadAts::timestamptz[],
                    @Follows::boolean[], @SaidTiers::text[])
                as j (realm, keycloak_id, named_account, judged, why, otherwise, renames, inherits, unproven, created_at, read_at, follows, said)
        ),
        {AccountStore.Decision}
        select w.keycloak_id, w.user_state in ('account', 'held') and not w.present as missing
        from wanted w
        where w.recorded_state is distinct from w.user_state or w.recorded_reason is distinct from w.reason or w.opens or w.turns
            or w.created_at <> coalesce(w.recorded_creation, '-infinity') and w.keycloak_id not like 'f:%'
            or w.collides and (select t.user_id from user_credits t where t.user_id = w.named_account) is null
                and (select t.user_id from credit_transactions t where t.user_id = w.named_account limit 1) is null
            or w.follows is true and w.status is distinct from 'closed'
                and (select k.tier from keycloak_users k where k.realm = w.realm and k.keycloak_id = w.keycloak_id)
                    is distinct from case when w.user_state in ('account', 'held') then w.said end
        """;

    private const string KnownSql = "select keycloak_id from keycloak_users where realm = @Realm::text and keycloak_id = @KeycloakId::text";

    private const string UnchangedSql =
        """
        select u.keycloak_id
        from unnest(@KeycloakIds::text[], @AccountIds::text[], @Enabled::boolean[], @Glimpses::smallint[], @CreatedAts::timestamptz[])
            as u (keycloak_id, named_account, enabled, brief_fingerprint, created_at)
        join keycloak_users k on k.realm = @Realm::text and k.keycloak_id = u.keycloak_id
        left join user_credits c on c.user_id = k.account_id and c.realm = @Realm and c.keycloak_id = k.keycloak_id
        where (u.created_at is null or u.created_at = k.created_at or u.keycloak_id like 'f:%')
            and k.reason is distinct from 'account_id_taken' and (k.user_state = 'excluded' or c.user_id is not null) and case k.user_state
            when 'account' then u.enabled and coalesce(u.named_account = k.account_id, true)
                and (c.status = 'active' or c.status_reason is null or c.status_reason not in ('disabled', 'deleted', 'account_id_taken'))
            when 'held' then not u.enabled and coalesce(u.named_account = k.account_id, true)
                and c.status <> 'active' and c.status_reason is distinct from 'deleted'
            when 'excluded' then c.user_id is null and k.brief_fingerprint = u.brief_fingerprint
            else false end
        """;

    /// <summary>The user, if one of this id was ever judged.</summary>
    public Task<IReadOnlyList<UserOnRecord>> KnownAsync(string realm, string keycloakId, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<UserOnRecord>(
            KnownSql,
            [
                new NpgsqlParameter("Realm", NpgsqlDbType.Text) { Value = realm },
                new NpgsqlParameter("KeycloakId", NpgsqlDbType.Text) { Value = keycloakId },
            ],
            cancellationToken);

    /// <summary>Which of these users are on record otherwise than judged, or not at all.</summary>
    public Task<IReadOnlyList<AccountDifference>> DifferencesAsync(IReadOnlyList<DesiredState> batch, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<AccountDifference>(
            DifferencesSql,
            [
                .. DesiredStateColumns.Of(batch), .. DesiredStateColumns.TiersOf(batch),
                batch.Column("CreatedAts", NpgsqlDbType.TimestampTz, item => item.CreatedAt?.UtcDateTime),
            ],
            cancellationToken);

    /// <summary>Those of a realm's people of whom nothing that a listing shows has changed since they were judged.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="people">As a listing shows them, each with the account id that follows from it, null where more is needed to tell, and the brief_fingerprint.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    public Task<IReadOnlyList<UserOnRecord>> UnchangedAsync(
        string realm, IReadOnlyList<(Subject Person, string? AccountId, short Glimpse)> people, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<UserOnRecord>(
            UnchangedSql,
            [
                new NpgsqlParameter("Realm", NpgsqlDbType.Text) { Value = realm },
                people.Column("KeycloakIds", NpgsqlDbType.Text, item => item.Person.KeycloakId),
                people.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
                people.Column("Enabled", NpgsqlDbType.Boolean, item => item.Person.Enabled),
                people.Column("Glimpses", NpgsqlDbType.Smallint, item => item.Glimpse),
                people.Column("CreatedAts", NpgsqlDbType.TimestampTz, item => item.Person.CreatedAt?.UtcDateTime),
            ],
            cancellationToken);
}

/// <summary>A user on record.</summary>
internal sealed record UserOnRecord(string KeycloakId);
