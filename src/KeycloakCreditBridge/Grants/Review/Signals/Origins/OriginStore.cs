using KeycloakCreditBridge.Grants.Review.Signals.Hashes;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Review.Signals.Origins;

/// <summary>From where users registered, for 30 days: never an address, but the keyed hash of its network.</summary>
internal sealed class OriginStore(NpgsqlDataSource dataSource, SignalHasher hasher)
{
    /// <summary>How long a network is kept.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromDays(30);

    // One at a time for each realm, so that of two users at once each has another count.
    private const string LockSql = "select 1 from pg_advisory_xact_lock(hashtextextended('fraud_origins ' || @Realm::text, 0))";

    private const string KnownSql =
        """
        select o.keycloak_id
        from fraud_origins o
        where o.realm = @Realm::text and o.keycloak_id = any (@KeycloakIds::text[])
        """;

    private const string CountsSql =
        """
        select o.realm, count(*)::integer as all, count(*) filter (where o.missing = 'proxy')::integer as behind_proxy,
            count(*) filter (where o.missing = 'private')::integer as private,
            count(*) filter (where o.missing in ('no_event', 'no_address'))::integer as without_address
        from fraud_origins o
        where o.registered_at > @Since::timestamptz and o.missing is distinct from 'administrator'
        group by o.realm
        """;

    private const string PurgeSql =
        """
        delete from fraud_origins
        where ctid = any (array(
            select o.ctid from fraud_origins o where o.registered_at < @Before::timestamptz limit @Limit::integer for update skip locked))
        returning keycloak_id
        """;

    private static readonly string RecordSql = SqlText.Of(typeof(OriginStore), "OriginStore.Record.sql");

    /// <summary>Keeps from where users registered. What is kept stays, unless it was not known.</summary>
    public async Task RecordAsync(string realm, IReadOnlyCollection<Origin> origins, CancellationToken cancellationToken)
    {
        Origin[] first = [.. origins.GroupBy(origin => origin.KeycloakId, StringComparer.Ordinal)
            .Select(ofUser => ofUser.OrderBy(origin => origin.Address is null).ThenBy(origin => origin.RegisteredAt).First())];
        if (first.Length == 0 || !hasher.IsReady)
            return;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.QueryPreparedAsync<int>(LockSql, [Text("Realm", realm)], cancellationToken);
        await connection.QueryPreparedAsync<int>(
            RecordSql,
            [
                Text("Realm", realm),
                first.Column("KeycloakIds", NpgsqlDbType.Text, origin => origin.KeycloakId),
                first.Column("RegisteredAts", NpgsqlDbType.TimestampTz, origin => origin.RegisteredAt.UtcDateTime),
                first.Column("Networks", NpgsqlDbType.Bytea, origin => origin.Address is { } address ? hasher.OfNetwork(address) : null),
                first.Column("Missing", NpgsqlDbType.Text, origin => origin.Missing),
            ],
            cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Which of these users are kept.</summary>
    public Task<IReadOnlyList<string>> KnownAsync(
        string realm, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<string>(
            KnownSql, [Text("Realm", realm), keycloakIds.Column("KeycloakIds", NpgsqlDbType.Text, id => id)], cancellationToken);

    /// <summary>How well networks are known of users that registered since then, by realm.</summary>
    public Task<IReadOnlyList<OriginCounts>> CountAsync(DateTimeOffset since, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<OriginCounts>(
            CountsSql, [new("Since", NpgsqlDbType.TimestampTz) { Value = since.UtcDateTime }], cancellationToken);

    /// <summary>Deletes at most <paramref name="limit"/> origins from before then, and returns how many.</summary>
    public async Task<int> PurgeAsync(DateTimeOffset before, int limit, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            PurgeSql,
            [
                new("Before", NpgsqlDbType.TimestampTz) { Value = before.UtcDateTime },
                new("Limit", NpgsqlDbType.Integer) { Value = limit },
            ],
            cancellationToken)).Count;

    private static NpgsqlParameter Text(string name, string value) => new(name, NpgsqlDbType.Text) { Value = value };
}

/// <summary>Registrations of a realm, without those by administrators.</summary>
internal sealed record OriginCounts(string Realm, int All, int BehindProxy, int Private, int WithoutAddress);
