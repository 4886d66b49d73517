using Dapper;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts.Renames;

/// <summary>
/// Renames accounts with their ledger and audit rows, where users changed in Keycloak what their account ids are made of. Accounts are
/// never merged: a user that wants an id in use keeps the old one.
/// </summary>
internal sealed class RenameStore(NpgsqlDataSource dataSource)
{
    // An account takes its whole ledger along, which may be years of charges.
    private const int RenameTimeoutSeconds = 600;

    private const string DueSql =
        """
        select w.realm, w.keycloak_id, k.account_id as from_id, w.account_id as to_id, w.source, w.read_at
        from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[], @ReadAts::timestamptz[], @Sources::text[])
            as w (realm, keycloak_id, account_id, read_at, source)
        join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
        join user_credits c on c.user_id = k.account_id
        where k.account_id <> w.account_id and k.checked_at <= w.read_at
            and (c.keycloak_id is null or c.realm = k.realm and c.keycloak_id = k.keycloak_id)
        """;

    // Users that one of these kept from an id, and that keep one of theirs.
    private const string WaitingSql =
        """
        select k.realm, k.keycloak_id, k.account_id as from_id, k.wanted_account_id as to_id, 'collision' as source,
            null::timestamptz as read_at
        from user_credits c
        join keycloak_users k on k.realm = c.realm and k.keycloak_id = c.keycloak_id and k.account_id = c.user_id
        where c.user_id = any (@Targets::text[]) and k.wanted_account_id is not null
        """;

    // In the order in which converging locks them: users before accounts, each sorted.
    private const string LockUsersSql =
        """
        select k.realm, k.keycloak_id, k.account_id, k.wanted_account_id, k.checked_at
        from unnest(@Realms::text[], @KeycloakIds::text[]) as w (realm, keycloak_id)
        join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
        order by k.realm collate "C", k.keycloak_id collate "C"
        for update of k
        """;

    private const string LockAccountsSql =
        """select user_id from user_credits where user_id = any (@Ids::text[]) order by user_id collate "C" for update""";

    // A ledger without an account has an owner too.
    private const string LedgersSql = "select distinct user_id from credit_transactions where user_id = any (@Targets::text[])";

    private const string ChangeIdsSql =
        """
        with renamed as (select * from unnest(@From::text[], @To::text[]) as m (from_id, to_id)),
        accounts as (
            update user_credits c set user_id = m.to_id, updated_at = credit_booking_time(@Now::timestamptz, c.updated_at)
            from renamed m where c.user_id = m.from_id),
        ledger as (update credit_transactions t set user_id = m.to_id from renamed m where t.user_id = m.from_id),
        grants as (update credit_grants g set user_id = m.to_id from renamed m where g.user_id = m.from_id),
        checkpoints as (update lot_checkpoints l set user_id = m.to_id from renamed m where l.user_id = m.from_id),
        redemptions as (update code_redemptions r set user_id = m.to_id from renamed m where r.user_id = m.from_id),
        attributed as (update attributions b set user_id = m.to_id from renamed m where b.user_id = m.from_id),
        codes as (update referral_codes r set user_id = m.to_id from renamed m where r.user_id = m.from_id),
        referrers as (update referrers r set user_id = m.to_id from renamed m where r.user_id = m.from_id),
        referrals as (
            update referrals r
            set referrer = coalesce((select m.to_id from renamed m where m.from_id = r.referrer), r.referrer),
                referee = coalesce((select m.to_id from renamed m where m.from_id = r.referee), r.referee)
            where r.referrer in (select m.from_id from renamed m) or r.referee in (select m.from_id from renamed m)),
        holds as (update grant_holds h set user_id = m.to_id from renamed m where h.user_id = m.from_id),
        refusals as (update refused_grants r set user_id = m.to_id from renamed m where r.user_id = m.from_id),
        evidence as (update task_evidence e set user_id = m.to_id from renamed m where e.user_id = m.from_id),
        events as (update outbox o set account_id = m.to_id from renamed m where o.account_id = m.from_id),
        claims as (update grant_claims g set first_user = m.to_id from renamed m where g.first_user = m.from_id)
        update audit_logs a
        set user_id = m.to_id, resource_id = case when a.resource_type = 'user_credits' then m.to_id else a.resource_id end
        from renamed m
        where a.user_id = m.from_id
        """;

    // Charged records stay under the old id too: a gateway may deliver them again under either.
    private const string CopyChargedSql =
        """
        insert into usage_records (user_id, record_id, charged_at)
        select m.to_id, u.record_id, u.charged_at
        from unnest(@From::text[], @To::text[]) as m (from_id, to_id)
        join usage_records u on u.user_id = m.from_id
        order by m.to_id collate "C", u.record_id collate "C"
        on conflict (user_id, record_id) do nothing
        """;

    private const string RecordSql =
        """
        with renamed as (
            select * from unnest(@Realms::text[], @KeycloakIds::text[], @From::text[], @To::text[], @Sources::text[])
                as r (realm, keycloak_id, from_id, to_id, source)
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
            select @Now::timestamptz, to_id, 'credit.rename', 'success', 'user_credits', to_id,
                jsonb_build_object('from', from_id, 'to', to_id, 'source', source)
            from renamed
        )
        update keycloak_users k set account_id = r.to_id, wanted_account_id = null
        from renamed r
        where k.realm = r.realm and k.keycloak_id = r.keycloak_id
        """;

    /// <summary>Renames what can be renamed, in one transaction, and returns how many accounts that were.</summary>
    /// <param name="batch">Desired states that rename, each with an account id.</param>
    /// <param name="now">When the audit rows are written.</param>
    /// <param name="cancellationToken">Ends the work before it is committed.</param>
    public async Task<int> RenameAsync(IReadOnlyList<DesiredState> batch, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var due = await dataSource.QueryPreparedAsync<Rename>(
            DueSql,
            [
                batch.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                batch.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                batch.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
                batch.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
                batch.Column("Sources", NpgsqlDbType.Text, item => item.Source),
            ],
            cancellationToken);
        if (due.Count == 0)
            return 0;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var renames = await PossibleAsync(connection, due);
        await ChangeIdsAsync(connection, renames, now);
        await connection.ExecuteAsync(RecordSql, new
        {
            Realms = renames.Select(item => item.Realm).ToArray(),
            KeycloakIds = renames.Select(item => item.KeycloakId).ToArray(),
            From = renames.Select(item => item.FromId).ToArray(),
            To = renames.Select(item => item.ToId).ToArray(),
            Sources = renames.Select(item => item.Source).ToArray(),
            Now = now.UtcDateTime,
        });
        await transaction.CommitAsync(cancellationToken);
        return renames.Count;
    }

    private static async Task<IReadOnlyList<Rename>> PossibleAsync(NpgsqlConnection connection, IReadOnlyList<Rename> due)
    {
        var all = await WithWaitingAsync(connection, due);
        var onRecord = (await connection.QueryAsync<Known>(
            LockUsersSql,
            new { Realms = all.Select(item => item.Realm).ToArray(), KeycloakIds = all.Select(item => item.KeycloakId).ToArray() }))
            .ToDictionary(known => (known.Realm, known.KeycloakId));
        string[] targets = [.. all.Select(item => item.ToId)];
        string[] ids = [.. targets, .. all.Select(item => item.FromId)];
        var used = (await connection.QueryAsync<string>(LockAccountsSql, new { Ids = ids }))
            .ToHashSet(StringComparer.Ordinal);
        var present = all.Where(item => used.Contains(item.FromId) && IsStill(item, onRecord[(item.Realm, item.KeycloakId)])).ToList();
        used.UnionWith(await connection.QueryAsync<string>(LedgersSql, new { Targets = targets }));
        return RenameOrder.Possible(present, used);
    }

    private static bool IsStill(Rename item, Known known) =>
        known.AccountId == item.FromId && (item.ReadAt is { } readAt ? known.CheckedAt <= readAt : known.WantedAccountId == item.ToId);

    private static async Task<IReadOnlyList<Rename>> WithWaitingAsync(NpgsqlConnection connection, IReadOnlyList<Rename> due)
    {
        List<Rename> all = [.. due];
        for (IEnumerable<Rename> latest = due; latest.Any();)
        {
            var waiting = await connection.QueryAsync<Rename>(WaitingSql, new { Targets = latest.Select(item => item.ToId).ToArray() });
            latest = [.. waiting.Where(item => !all.Exists(known => (known.Realm, known.KeycloakId) == (item.Realm, item.KeycloakId)))];
            all.AddRange(latest);
        }

        return all;
    }

    // Where one takes the id that another gives up, all go through ids that are in no other use.
    private static async Task ChangeIdsAsync(NpgsqlConnection connection, IReadOnlyList<Rename> renames, DateTimeOffset now)
    {
        string[] from = [.. renames.Select(item => item.FromId)];
        string[] to = [.. renames.Select(item => item.ToId)];
        await connection.ExecuteAsync(CopyChargedSql, new { From = from, To = to }, commandTimeout: RenameTimeoutSeconds);
        if (to.Intersect(from, StringComparer.Ordinal).Any())
        {
            string[] between = [.. renames.Select(_ => $"renaming:{Guid.NewGuid()}")];
            await connection.ExecuteAsync(
                ChangeIdsSql, new { From = from, To = between, Now = now.UtcDateTime }, commandTimeout: RenameTimeoutSeconds);
            from = between;
        }

        await connection.ExecuteAsync(
            ChangeIdsSql, new { From = from, To = to, Now = now.UtcDateTime }, commandTimeout: RenameTimeoutSeconds);
    }

    private sealed record Known(string Realm, string KeycloakId, string? AccountId, string? WantedAccountId, DateTimeOffset CheckedAt);
}
