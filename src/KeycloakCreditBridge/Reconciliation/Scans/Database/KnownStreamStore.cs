using System.Runtime.CompilerServices;
using Dapper;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Provisioning.Accounts;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Scans.Database;

/// <summary>The recorded users of a realm, one after the other.</summary>
internal sealed class KnownStreamStore(NpgsqlDataSource dataSource)
{
    // COPY takes no parameters: they are put in as literals. What counts as consistent is what AccountReviewStore.UnchangedSql says.
    private const string CopySql =
        $"""
        select k.keycloak_id, k.user_state, k.checked_at, k.created_at,
            case k.user_state
                when 'account' then c.user_id is not null and k.reason is null and not c.grant_pending
                    and (c.status = 'active' or c.status_reason is null or c.status_reason not in {StatusReasons.Own})
                when 'held' then c.user_id is not null and k.reason is null and not c.grant_pending and c.status <> 'active'
                    and coalesce(c.status_reason, '') not in {StatusReasons.OwnClosings}
                when 'service_account' then c.status is null or c.status = 'closed'
                    or c.status <> 'active' and c.status_reason not in {StatusReasons.Own}
                else true end as stands
        from keycloak_users k
        left join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
        where k.realm = @Realm and k.user_state <> 'deleted' and k.keycloak_id > @After
            and (@Buckets::bigint[] is null or {UserDigest.Mask} & hashtextextended(k.keycloak_id, 0) = any (@Buckets::bigint[]))
        order by k.keycloak_id
        """;

    private const string DeletedSql =
        """
        select keycloak_id from keycloak_users
        where realm = @Realm::text and keycloak_id = any (@KeycloakIds::text[]) and user_state = 'deleted'
        """;

    // Sums as UserDigest makes them of Keycloak's users, and beside them the accounts as they should be minus the accounts as they are:
    // zero where they agree. Excluded users, and accounts that contradict their record, add what no Keycloak user adds. A bucket with an
    // account that an operator holds never agrees, and is read.
    private const string DigestSql =
        $"""
        select s.bucket, sum(s.users) as sum, sum(s.accounts) as accounts
        from (
            select {UserDigest.Mask} & hashtextextended(k.keycloak_id, 0) as bucket,
                sum(hashtextextended(k.keycloak_id, case
                    when k.reason is not null then 0 when k.user_state = 'account' then {UserDigest.Enabled}
                    when k.user_state = 'held' then {UserDigest.Disabled} when k.user_state = 'service_account' then {UserDigest.Service}
                        else 0 end
                    + {UserDigest.KindCount} * coalesce((date_part('epoch', k.created_at) * 1000)::bigint, {UserDigest.NoCreationTime}))) as
                        users,
                coalesce(sum(hashtextextended(k.account_id, hashtextextended(k.keycloak_id, case k.user_state
                    when 'account' then {UserDigest.Enabled} else {UserDigest.Disabled} end))) filter
                        (where k.user_state in ('account', 'held')), 0) as accounts
            from keycloak_users k
            where k.realm = @Realm::text and k.user_state <> 'deleted' and k.keycloak_id not like 'f:%'
            group by 1
            union all
            select {UserDigest.Mask} & hashtextextended(c.keycloak_id, 0), 0,
                -sum(hashtextextended(c.user_id, hashtextextended(c.keycloak_id, case
                    when c.grant_pending then 0 when c.status = 'active' then {UserDigest.Enabled}
                    when c.status_reason in {StatusReasons.OwnHolds} then {UserDigest.Disabled} else 0 end)))
            from user_credits c
            where c.realm = @Realm and (c.status = 'active' or coalesce(c.status_reason, '') not in {StatusReasons.OwnClosings})
                and c.keycloak_id not like 'f:%'
            group by 1) s
        group by 1
        """;

    // The stream waits while accounts are opened for users that are not on record.
    private const string ReadingAll =
        "set local enable_seqscan = on; set local work_mem = '64MB'; set local idle_in_transaction_session_timeout = 0";

    // One pass without sorting: PostgreSQL expects a bucket for each row, and would sort them for its workers.
    private const string Summing = $"{ReadingAll}; set local max_parallel_workers_per_gather = 0; set local enable_sort = off";

    /// <summary>Sums over all users but federated ones without import.</summary>
    public async Task<IReadOnlyList<KnownDigest>> DigestAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(Summing, transaction: transaction, cancellationToken: cancellationToken));
        return [.. await connection.QueryAsync<KnownDigest>(
            new CommandDefinition(
                DigestSql, new { Realm = realm }, transaction, commandTimeout: 600, cancellationToken: cancellationToken))];
    }

    /// <summary>Which of these are recorded as deleted.</summary>
    public async Task<HashSet<string>> DeletedAsync(string realm, string[] keycloakIds, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var found = await connection.QueryAsync<string>(
            new CommandDefinition(DeletedSql, new { Realm = realm, KeycloakIds = keycloakIds }, cancellationToken: cancellationToken));
        return found.ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>In the order of their ids' bytes.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="after">Only users after this id.</param>
    /// <param name="buckets">Only users of these buckets of <see cref="UserDigest"/>; null for all users.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<KnownUser> CopyAsync(
        string realm, string after, IReadOnlyList<long>? buckets, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var select = CopySql.Replace("@Realm", Literal(realm), StringComparison.Ordinal).Replace(
            "@After", Literal(after), StringComparison.Ordinal)
            .Replace("@Buckets", UserDigest.Literal(buckets), StringComparison.Ordinal);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        // Settings for this one statement, which reads every user.
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(ReadingAll, transaction: transaction, cancellationToken: cancellationToken));
        await using var rows = await connection.BeginBinaryExportAsync($"copy ({select}) to stdout (format binary)", cancellationToken);
        // The first row may wait for the sorting of all.
        rows.Timeout = TimeSpan.FromMinutes(10);
        while (await rows.StartRowAsync(cancellationToken) >= 0)
            yield return Row(rows);
    }

    // Rows are short and most have arrived: waiting for each value costs more than reading it.
    private static KnownUser Row(NpgsqlBinaryExporter rows) =>
        new(rows.Read<string>(), rows.Read<string>(), rows.Read<DateTime>(), Instant(rows), rows.Read<bool>());

    private static DateTimeOffset? Instant(NpgsqlBinaryExporter rows)
    {
        if (!rows.IsNull)
            return rows.Read<DateTime>();
        rows.Skip();
        return null;
    }

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}

/// <summary>A user on record.</summary>
/// <param name="CheckedAt">When Keycloak was asked last.</param>
/// <param name="CreatedAt">When Keycloak says the user was created.</param>
/// <param name="IsConsistent">Whether the account is as the user_state says.</param>
internal readonly record struct KnownUser(
    string KeycloakId, string State, DateTime CheckedAt, DateTimeOffset? CreatedAt, bool IsConsistent);

/// <summary>The records of a bucket of <see cref="UserDigest"/>.</summary>
/// <param name="Accounts">Not zero where accounts contradict the records of their owners.</param>
internal sealed record KnownDigest(long Bucket, decimal Sum, decimal Accounts);
