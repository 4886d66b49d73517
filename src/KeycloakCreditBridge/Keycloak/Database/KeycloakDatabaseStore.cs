using System.Runtime.CompilerServices;
using Dapper;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Keycloak.Database;

/// <summary>Reads Keycloak's tables. They are no supported interface, so their columns are checked first.</summary>
internal sealed class KeycloakDatabaseStore(KeycloakDatabase database)
{
    // Any table: a role that may write credentials or roles may sign in as any user.
    private const string WritableTablesSql =
        """
        select c.relname || ' (' || p.privilege || ')'
        from pg_class c
        cross join unnest(array['insert', 'update', 'delete', 'truncate']) as p (privilege)
        where c.relnamespace = (select u.relnamespace from pg_class u where u.oid = to_regclass('user_entity')) and c.relkind in ('r', 'p')
            and case when p.privilege in ('insert', 'update') then has_any_column_privilege(c.oid, p.privilege)
                else has_table_privilege(c.oid, p.privilege) end
        order by (c.relname <> 'user_entity'), 1
        limit 5
        """;

    private const string MissingColumnsSql =
        """
        select c.relation || '.' || c.name
        from (values ('realm', 'id'), ('realm', 'name'), ('user_entity', 'id'), ('user_entity', 'realm_id'), ('user_entity', 'username'),
            ('user_entity', 'email'), ('user_entity', 'email_verified'), ('user_entity', 'enabled'), ('user_entity', 'created_timestamp'),
            ('user_entity', 'federation_link'), ('user_entity', 'service_account_client_link')) as c (relation, name)
        where not coalesce((
            select has_column_privilege(a.attrelid, a.attnum, 'select') from pg_attribute a
            where a.attrelid = to_regclass(c.relation) and a.attname = c.name and not a.attisdropped), false)
        order by 1
        """;

    private const string RealmIdSql = "select id from realm where name = @Realm";

    private const string CountSql = "select count(*) from user_entity where realm_id = @RealmId and service_account_client_link is null";

    private const string Columns =
        """
        id, username, email, coalesce(email_verified, false) as email_verified, coalesce(enabled, false) as enabled,
            created_timestamp as created_at_ms, federation_link, service_account_client_link is not null as is_service
        """;

    // COPY takes no parameters: they are written as literals.
    private const string CopySql =
        $"""
        select {Columns} from user_entity
        where realm_id = @RealmId and id collate "C" > @After
            and (@Buckets::bigint[] is null or {UserDigest.Mask} & hashtextextended(id collate "C", 0) = any (@Buckets::bigint[]))
        order by id collate "C"
        """;

    private const string DigestSql =
        $"""
        select {UserDigest.Mask} & hashtextextended(id collate "C", 0) as bucket,
            count(*) filter (where service_account_client_link is null) as users,
            sum(hashtextextended(id collate "C", case
                when service_account_client_link is not null then {UserDigest.Service} when enabled then {UserDigest.Enabled}
                    else {UserDigest.Disabled} end
                + {UserDigest.KindCount} * least(greatest(created_timestamp, {UserDigest.NoCreationTime}), {UserDigest.MaxCreationTime})))
                    as sum
        from user_entity
        where realm_id = @RealmId
        group by 1
        """;

    // One pass and no sorting: PostgreSQL expects a bucket for every row, and would sort them for its workers.
    private const string DigestSession = "set local max_parallel_workers_per_gather = 0; set local enable_sort = off";

    private const string FindSql =
        $"""
        select {Columns} from user_entity
        where realm_id = (select r.id from realm r where r.name = @Realm::text) and id = any (@Ids::text[])
        """;

    private const string MayReadComponentsSql =
        """
        select count(*) = 2 from pg_attribute a
        where a.attrelid = to_regclass('component') and a.attname in ('realm_id', 'provider_type') and not a.attisdropped
            and has_column_privilege(a.attrelid, a.attnum, 'select')
        """;

    private const string HasFederationSql =
        """
        select exists (
            select from component c join realm r on r.id = c.realm_id
            where r.name = @Realm and c.provider_type = 'org.keycloak.storage.UserStorageProvider')
        """;

    /// <summary>Refuses a role that could change anything, and tables of another form than known.</summary>
    /// <exception cref="KeycloakDatabaseException">The database must not or cannot be used.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        var lacking = await connection.QueryAsync<string>(new CommandDefinition(MissingColumnsSql, cancellationToken: cancellationToken));
        if (string.Join(", ", lacking) is { Length: > 0 } unknown)
        {
            throw new KeycloakDatabaseException(
                $"Its tables are not as known, or the role may not read them: {unknown}. Grant select on realm and user_entity, or leave " +
                $"out {KeycloakDatabaseOptions.Section}.");
        }

        var writable = await connection.QueryAsync<string>(new CommandDefinition(WritableTablesSql, cancellationToken: cancellationToken));
        if (string.Join(", ", writable) is { Length: > 0 } excess)
            throw new KeycloakDatabaseException(
                $"Its role may write: {excess}. Give a role that has select on realm and user_entity and nothing else.");
    }

    /// <summary>How many users a realm has, as Keycloak counts them.</summary>
    public async Task<long> CountAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        var realmId = await RealmIdAsync(connection, realm, cancellationToken);
        return await connection.ExecuteScalarAsync<long>(
            new CommandDefinition(CountSql, new { RealmId = realmId }, commandTimeout: 0, cancellationToken: cancellationToken));
    }

    /// <summary>
    /// Whether a realm takes users from directories; null where the role may not read <c>component</c>, which it need not.
    /// </summary>
    public async Task<bool?> HasFederationAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(new CommandDefinition(MayReadComponentsSql, cancellationToken: cancellationToken))
            ? await connection.ExecuteScalarAsync<bool>(
                new CommandDefinition(HasFederationSql, new { Realm = realm }, cancellationToken: cancellationToken))
            : null;
    }

    /// <summary>Digests of a realm's users, service accounts among them.</summary>
    public async Task<IReadOnlyList<UserDigest>> DigestAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        var realmId = await RealmIdAsync(connection, realm, cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(DigestSession, transaction: transaction, cancellationToken: cancellationToken));
        return [.. await connection.QueryAsync<UserDigest>(
            new CommandDefinition(
                DigestSql, new { RealmId = realmId }, transaction, commandTimeout: 600, cancellationToken: cancellationToken))];
    }

    /// <summary>A realm's users in the order of their ids' bytes, service accounts among them, as one snapshot.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="after">Only users behind this id.</param>
    /// <param name="buckets">Only users of these buckets of <see cref="UserDigest"/>; null for all users.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<StoredUser> CopyAsync(
        string realm, string after, IReadOnlyList<long>? buckets, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        var realmId = await RealmIdAsync(connection, realm, cancellationToken);
        var select = CopySql.Replace(
            "@RealmId", Literal(realmId), StringComparison.Ordinal).Replace("@After", Literal(after), StringComparison.Ordinal)
            .Replace("@Buckets", UserDigest.Literal(buckets), StringComparison.Ordinal);
        await using var rows = await connection.BeginBinaryExportAsync($"copy ({select}) to stdout (format binary)", cancellationToken);
        // The first row waits for the sorting of all.
        rows.Timeout = TimeSpan.FromMinutes(10);
        while (await rows.StartRowAsync(cancellationToken) >= 0)
            yield return Row(rows);
    }

    /// <summary>Those of these users that the realm has.</summary>
    /// <exception cref="KeycloakRealmNotFoundException">There is no such realm.</exception>
    public async Task<IReadOnlyList<StoredUser>> FindAsync(string realm, string[] ids, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        var found = await connection.QueryPreparedAsync<StoredUser>(FindSql, [new("Realm", realm), new("Ids", ids)], cancellationToken);
        if (found.Count == 0)
            await RealmIdAsync(connection, realm, cancellationToken);
        return found;
    }

    private static async Task<string> RealmIdAsync(NpgsqlConnection connection, string realm, CancellationToken cancellationToken) =>
        await connection.ExecuteScalarAsync<string?>(
            new CommandDefinition(RealmIdSql, new { Realm = realm }, cancellationToken: cancellationToken))
        ?? throw new KeycloakRealmNotFoundException(realm, $"Keycloak's database has no realm '{realm}'.");

    // Rows are short and most have arrived: waiting for each value costs more than reading it.
    private static StoredUser Row(NpgsqlBinaryExporter rows) =>
        new(rows.Read<string>(), Text(rows), Text(rows), rows.Read<bool>(), rows.Read<bool>(), Number(rows), Text(rows), rows.Read<bool>());

    private static string? Text(NpgsqlBinaryExporter rows)
    {
        if (!rows.IsNull)
            return rows.Read<string>();
        rows.Skip();
        return null;
    }

    private static long? Number(NpgsqlBinaryExporter rows)
    {
        if (!rows.IsNull)
            return rows.Read<long>();
        rows.Skip();
        return null;
    }

    // Sessions of this database read backslashes as they stand.
    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}

/// <summary>A user as Keycloak's table has it.</summary>
/// <param name="CreatedAtMs">Milliseconds since 1970.</param>
/// <param name="FederationLink">The directory that the user came from: Keycloak asks it for what its table has otherwise.</param>
/// <param name="IsService">A client's own user.</param>
internal sealed record StoredUser(
    string Id, string? Username, string? Email, bool EmailVerified, bool Enabled, long? CreatedAtMs, string? FederationLink, bool IsService)
{
    public KeycloakUser ToUser() => new(Id, Username, Email, Enabled, EmailVerified, CreatedAtMs, FederationLink);
}
