using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Review.Signals.Addresses;

/// <summary>Keeps what signals compare of users, and tells what spoke when each was kept first.</summary>
internal sealed class RegistrationStore(NpgsqlDataSource dataSource)
{
    // One at a time for each realm, so that of two users at once each has another count. The grants that follow are committed later, and
    // PostgreSQL keeps nothing of what is committed later without what was committed before: the disk need not be waited for twice.
    private const string LockSql =
        """
        select set_config('synchronous_commit', 'off', true),
            count(pg_advisory_xact_lock(hashtextextended('fraud_registrations ' || r.realm, 0)))
        from unnest(@Realms::text[]) as r (realm)
        """;

    // Fenced and limited, so that each user is looked up by a key: PostgreSQL would read whole tables for a batch.
    private const string ReadSql =
        $"""
        select w.number::integer as number, r.signals, o.realm is not null as is_seen, o.missing,
            coalesce(o.in_hour, 0)::integer as in_hour, coalesce(o.in_day, 0)::integer as in_day,
            (select t.user_id from credit_transactions t where t.user_id = w.account_id and {LotStore.IsPaid} limit 1) is not null
                as has_paid
        from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[])
            with ordinality as w (realm, keycloak_id, account_id, number)
        cross join lateral (
            select f.signals from fraud_registrations f where f.realm = w.realm and f.keycloak_id = w.keycloak_id offset 0) r
        left join lateral (
            select f.* from fraud_origins f where f.realm = w.realm and f.keycloak_id = w.keycloak_id offset 0) o on true
        """;

    private const string EntriesSql =
        "select e.kind, e.value, e.verdict = 'allow' as is_allowed from fraud_entries e where e.value = any (@Values::text[])";

    private const string CommonSql =
        """
        select encode(r.domain, 'hex')
        from fraud_registrations r
        where r.realm = @Realm::text and r.domain is not null and r.registered_at < @Before::timestamptz
        group by r.domain
        having count(*) >= 20
        order by count(*) desc
        limit 100
        """;

    // Users whose account was closed, and those that never had one, are forgotten.
    private const string PurgeSql =
        """
        delete from fraud_registrations
        where ctid = any (array(
            select r.ctid from fraud_registrations r
            left join keycloak_users k on k.realm = r.realm and k.keycloak_id = r.keycloak_id
            left join user_credits c on c.user_id = k.account_id
            where r.registered_at < @Before::timestamptz and (c.user_id is null or c.status = 'closed' and c.updated_at < @Before)
            limit @Limit::integer
            for update of r skip locked))
        returning keycloak_id
        """;

    private static readonly string RecordSql = SqlText.Of(typeof(RegistrationStore), "RegistrationStore.Record.sql");

    /// <summary>Keeps users that are not kept yet, and reads all, in one round trip.</summary>
    /// <param name="users">Each user once.</param>
    /// <param name="values">Domains and hashes of addresses that operators may have an entry for.</param>
    /// <param name="cancellationToken">Ends the statements.</param>
    public async Task<ReadRegistrations> RecordAsync(
        IReadOnlyCollection<Registrant> users, IReadOnlyCollection<string> values, CancellationToken cancellationToken)
    {
        (long Number, byte[] Inbox)[] earlier = [
            .. users.SelectMany((user, index) => user.EarlierInboxes.Select(inbox => (index + 1L, inbox)))];
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        // Without a transaction of its own a batch is one.
        await using var batch = new NpgsqlBatch(connection);
        Add(batch, LockSql, new NpgsqlParameter("Realms", NpgsqlDbType.Array | NpgsqlDbType.Text)
        {
            Value = users.Select(user => user.Realm).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray(),
        });
        Add(
            batch, RecordSql,
            users.Column("Realms", NpgsqlDbType.Text, user => user.Realm),
            users.Column("KeycloakIds", NpgsqlDbType.Text, user => user.KeycloakId),
            users.Column("RegisteredAts", NpgsqlDbType.TimestampTz, user => user.RegisteredAt.UtcDateTime),
            users.Column("Inboxes", NpgsqlDbType.Bytea, user => user.Inbox),
            users.Column("Domains", NpgsqlDbType.Bytea, user => user.Domain),
            users.Column("Series", NpgsqlDbType.Bytea, user => user.Series),
            users.Column("Signals", NpgsqlDbType.Text, user => string.Join(',', user.Signals)),
            users.Column("AreCommon", NpgsqlDbType.Boolean, user => user.IsCommon),
            users.Column("AreOld", NpgsqlDbType.Boolean, user => user.IsOld),
            earlier.Column("EarlierNumbers", NpgsqlDbType.Bigint, pair => pair.Number),
            earlier.Column("EarlierInboxes", NpgsqlDbType.Bytea, pair => pair.Inbox));
        Add(
            batch, ReadSql,
            users.Column("Realms", NpgsqlDbType.Text, user => user.Realm),
            users.Column("KeycloakIds", NpgsqlDbType.Text, user => user.KeycloakId),
            users.Column("AccountIds", NpgsqlDbType.Text, user => user.AccountId));
        Add(batch, EntriesSql, new NpgsqlParameter("Values", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = values.ToArray() });
        await batch.PrepareAsync(cancellationToken);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        HashSet<string> kept = new(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken))
            kept.Add(reader.GetString(0));
        await reader.NextResultAsync(cancellationToken);
        List<ReadRegistration> read = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            read.Add(new(
                reader.GetInt32(0) - 1, await reader.GetFieldValueAsync<string[]>(1, cancellationToken), reader.GetBoolean(2),
                await reader.IsDBNullAsync(3, cancellationToken) ? null : reader.GetString(3), reader.GetInt32(4), reader.GetInt32(5),
                reader.GetBoolean(6)));
        }

        await reader.NextResultAsync(cancellationToken);
        Dictionary<(string Kind, string Value), bool> entries = [];
        while (await reader.ReadAsync(cancellationToken))
            entries[(reader.GetString(0), reader.GetString(1))] = reader.GetBoolean(2);
        return new(read, entries, kept);
    }

    /// <summary>Hashes of the domains that most users of the realm had before, in hexadecimal.</summary>
    public Task<IReadOnlyList<string>> CommonDomainsAsync(string realm, DateTimeOffset before, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<string>(
            CommonSql,
            [
                new("Realm", NpgsqlDbType.Text) { Value = realm },
                new("Before", NpgsqlDbType.TimestampTz) { Value = before.UtcDateTime },
            ],
            cancellationToken);

    /// <summary>Deletes at most <paramref name="limit"/> users that are deleted since before then, and returns how many.</summary>
    public async Task<int> PurgeAsync(DateTimeOffset before, int limit, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            PurgeSql,
            [
                new("Before", NpgsqlDbType.TimestampTz) { Value = before.UtcDateTime },
                new("Limit", NpgsqlDbType.Integer) { Value = limit },
            ],
            cancellationToken)).Count;

    private static void Add(NpgsqlBatch batch, string sql, params NpgsqlParameter[] parameters)
    {
        var statement = PositionalSql.Of(sql);
#pragma warning disable CA2100 // The statements are constants.
        var command = new NpgsqlBatchCommand(statement.Text);
#pragma warning restore CA2100
        statement.Add(parameters, command.Parameters);
        batch.BatchCommands.Add(command);
    }
}

/// <summary>A user as signals keep it.</summary>
/// <param name="Signals">What speaks by the address alone.</param>
/// <param name="IsCommon">Whether the domain is so common that many users of it at a time mean nothing.</param>
/// <param name="IsOld">Whether the user registered so long ago that no signal counts.</param>
internal sealed record Registrant(
    string Realm, string KeycloakId, string AccountId, DateTimeOffset RegisteredAt, byte[]? Inbox, byte[]? Domain, byte[]? Series,
    IReadOnlyList<string> Signals, bool IsCommon, bool IsOld)
{
    /// <summary>The inbox by keys of before.</summary>
    public IReadOnlyList<byte[]> EarlierInboxes { get; init; } = [];

    /// <summary>The inbox by any key, in hexadecimal, the present one first.</summary>
    public IEnumerable<string> InboxNames => Inbox is null ? [] : EarlierInboxes.Prepend(Inbox).Select(Convert.ToHexStringLower);
}

/// <param name="Index">The user's place among those that were asked for.</param>
/// <param name="Signals">What spoke when the user was kept first.</param>
/// <param name="IsSeen">Whether it is known from where the user registered.</param>
/// <param name="Missing">Why the network says nothing; null where it does.</param>
internal sealed record ReadRegistration(
    int Index, IReadOnlyList<string> Signals, bool IsSeen, string? Missing, int InHour, int InDay, bool HasPaid);

/// <param name="Entries">What operators say, and whether they allow it.</param>
/// <param name="Kept">Users, by their Keycloak ids, that were kept first now.</param>
internal sealed record ReadRegistrations(
    IReadOnlyList<ReadRegistration> Users, IReadOnlyDictionary<(string Kind, string Value), bool> Entries, IReadOnlySet<string> Kept);
