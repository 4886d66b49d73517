using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Intake.Deliveries.Review;

/// <summary>The tables of deliveries as an operator reads them.</summary>
internal sealed class DeliveryListStore(NpgsqlDataSource dataSource, TimeProvider clock)
{
    private const string Columns =
        """
        id, received_at, realm, way, format, event, keycloak_id, kind, outcome, reason, events, hints, duration_us, trace_id, body
        """;

    private const string OfRealm = "(@Realm::text is null or realm = @Realm)";

    private const string ListSql =
        $"""
        select {Columns} from deliveries
        where {OfRealm} and received_at >= @Since and (received_at, id) < (@BeforeAt::timestamptz, @BeforeId::uuid)
            and (@Outcomes::text[] is null or outcome = any (@Outcomes)) and (@User::text is null or keycloak_id = @User)
        order by received_at desc, id desc
        limit @Limit
        """;

    private const string FailedSql =
        $"""
        select {Columns} from deliveries
        where {OfRealm} and received_at >= @Since and (received_at, id) < (@BeforeAt::timestamptz, @BeforeId::uuid)
            and outcome in ('refused', 'not_stored') and (@User::text is null or keycloak_id = @User)
        order by received_at desc, id desc
        limit @Limit
        """;

    private const string FindSql = $"select {Columns} from deliveries where received_at = @At and id = @Id and {OfRealm}";

    private const string UnprovenSql =
        """
        select minute, realm, reason, count, sample::text as sample from unproven_deliveries
        where @Realm::text is null or realm = @Realm
        order by minute desc, realm, reason
        limit @Limit
        """;

    private const string FailedUsersSql =
        """
        select distinct keycloak_id from deliveries
        where realm = @Realm and received_at >= @Since and outcome in ('refused', 'not_stored') and keycloak_id is not null
        order by keycloak_id
        limit @Limit
        """;

    private const string FailedCountSql =
        """
        select count(*) as deliveries, count(distinct keycloak_id) as users,
            count(*) filter (where keycloak_id is null and outcome = 'refused') as without_user
        from deliveries
        where realm = @Realm and received_at >= @Since and outcome in ('refused', 'not_stored')
        """;

    private const string AuditSql =
        """
        insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
        select @Now::timestamptz, coalesce((
                select k.account_id from keycloak_users k where k.realm = @Realm::text and k.keycloak_id = @User::text), @User),
            'credit.delivery_replayed', 'success', 'deliveries', @Id::text,
            jsonb_build_object('realm', @Realm, 'by', @By::text, 'users', @Users::integer)
        """;

    // Custom events of a plugin say nothing of users, the doctor's test delivery among them, which a pinned format refuses.
    private const string StatesSql =
        """
        select realm, count(*) filter (where outcome in ('converged', 'stored')) as stored,
            count(*) filter (where outcome = 'ignored') as ignored, count(*) filter (where outcome = 'refused') as refused,
            count(*) filter (where outcome = 'not_stored') as not_stored
        from deliveries
        where way = 'webhook' and received_at >= @Since and reason is distinct from 'irrelevant_type'
            and coalesce(body, '') not like '%system.DOCTOR%'
        group by realm
        """;

    private const string HasDaySql =
        """
        select exists (
            select from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = to_regclass('deliveries') and c.relname = 'deliveries_' || to_char(@Day::date, 'YYYYMMDD'))
        """;

    /// <summary>Deliveries, newest first.</summary>
    public async Task<IReadOnlyList<DeliveryView>> ListAsync(DeliveryFilter filter, int limit, CancellationToken cancellationToken)
    {
        // The index of failed deliveries is found only by the words themselves.
        var (sql, outcomes) = filter.Outcome == DeliveryFilter.Failed ? (FailedSql, null)
            : (ListSql, filter.Outcome is { } one ? new[] { one } : null);
        return await QueryAsync<DeliveryView>(
            sql,
            new
            {
                filter.Realm,
                Since = filter.Since ?? DateTimeOffset.UnixEpoch,
                BeforeAt = filter.Before is { } id ? RecordedDelivery.TimeOf(id) : DateTimeOffset.MaxValue,
                BeforeId = filter.Before ?? Guid.AllBitsSet,
                Outcomes = outcomes,
                filter.User,
                Limit = limit,
            },
            cancellationToken);
    }

    /// <param name="realm">Null for any.</param>
    /// <param name="id">As a list shows it.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public async Task<DeliveryView?> FindAsync(string? realm, Guid id, CancellationToken cancellationToken) =>
        await QueryAsync<DeliveryView>(
            FindSql, new { Realm = realm, At = RecordedDelivery.TimeOf(id), Id = id }, cancellationToken) is [var found] ? found : null;

    /// <summary>Counts of requests whose sender proved nothing, newest first.</summary>
    public Task<IReadOnlyList<UnprovenView>> UnprovenAsync(string? realm, int limit, CancellationToken cancellationToken) =>
        QueryAsync<UnprovenView>(UnprovenSql, new { Realm = realm, Limit = limit }, cancellationToken);

    /// <summary>Users whose deliveries failed, each once, in the order of their ids.</summary>
    public Task<IReadOnlyList<string>> FailedUsersAsync(
        string realm, DateTimeOffset since, int limit, CancellationToken cancellationToken) =>
        QueryAsync<string>(FailedUsersSql, new { Realm = realm, Since = since, Limit = limit }, cancellationToken);

    public async Task<FailedDeliveries> CountFailedAsync(string realm, DateTimeOffset since, CancellationToken cancellationToken) =>
        (await QueryAsync<FailedDeliveries>(FailedCountSql, new { Realm = realm, Since = since }, cancellationToken))[0];

    /// <summary>What came of webhooks since then, a row for each realm that had any.</summary>
    public Task<IReadOnlyList<DeliveryState>> StatesAsync(DateTimeOffset since, CancellationToken cancellationToken) =>
        QueryAsync<DeliveryState>(StatesSql, new { Since = since }, cancellationToken);

    /// <summary>Whether deliveries of this day can be written.</summary>
    public async Task<bool> HasDayAsync(DateOnly day, CancellationToken cancellationToken) =>
        (await QueryAsync<bool>(HasDaySql, new { Day = day }, cancellationToken))[0];

    /// <summary>Writes down that deliveries were replayed.</summary>
    /// <param name="id">The delivery's, or the run's.</param>
    /// <param name="by">The caller that asked for it.</param>
    public Task AuditAsync(string realm, string? user, string id, string by, int users, CancellationToken cancellationToken) =>
        QueryAsync<int>(
            AuditSql, new { Now = clock.GetUtcNow(), Realm = realm, User = user, Id = id, By = by, Users = users }, cancellationToken);

    private async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<T>(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken))];
    }
}
