using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Claims;

/// <summary>What grants were given for once, and to which account.</summary>
internal sealed class ClaimStore(NpgsqlDataSource dataSource)
{
    private const string Asked =
        """
        unnest(@Kinds::text[], @Hashes::bytea[], @Policies::text[], @OtherKinds::text[], @OtherHashes::bytea[])
            as w (kind, hash, policy, other_kind, other_hash)
        """;

    private const string CarrySql =
        $"""
        insert into grant_claims (kind, hash, policy, first_user, at)
        select distinct on (w.kind, w.hash, w.policy) w.kind, w.hash, w.policy, g.first_user, g.at
        from {Asked}
        join grant_claims g on g.kind = w.other_kind and g.hash = w.other_hash and g.policy = w.policy
        order by w.kind, w.hash, w.policy, g.at
        on conflict (kind, hash, policy) do nothing
        """;

    // A replica with another key may have taken one of them at the same moment: then this transaction is repeated, and finds that one.
    private const string CompleteSql =
        $"""
        insert into grant_claims as c (kind, hash, policy, first_user, at)
        select distinct on (w.other_kind, w.other_hash, w.policy) w.other_kind, w.other_hash, w.policy, g.first_user, g.at
        from {Asked}
        join grant_claims g on g.kind = w.kind and g.hash = w.hash and g.policy = w.policy
        where g.at = @Now::timestamptz and g.xmin = pg_current_xact_id()::xid
        order by w.other_kind, w.other_hash, w.policy
        on conflict (kind, hash, policy) do update set at = c.at where c.first_user <> excluded.first_user and credit_overtaken()
        """;

    private const string TakeSql =
        """
        insert into grant_claims as c (kind, hash, policy, first_user, at)
        values (@Kind::text, @Hash::bytea, @Policy::text, @AccountId::text, @Now::timestamptz)
        on conflict (kind, hash, policy) do update set at = c.at where c.first_user = excluded.first_user
        returning first_user
        """;

    private const string HolderSql =
        """
        select g.first_user
        from unnest(@Kinds::text[], @Hashes::bytea[]) as w (kind, hash)
        join grant_claims g on g.kind = w.kind and g.hash = w.hash and g.policy = @Policy::text
        order by g.at
        limit 1
        """;

    private const string ForgetSql =
        """
        with forgotten as (
            delete from grant_claims g
            where (g.kind, g.hash) in (select w.kind, w.hash from unnest(@Kinds::text[], @Hashes::bytea[]) as w (kind, hash))
                or g.kind = 'identity' and g.first_user in (
                    select o.first_user
                    from grant_claims o
                    join unnest(@Kinds, @Hashes) as w (kind, hash) on o.kind = w.kind and o.hash = w.hash)
            returning g.kind, g.policy
        ),
        held as (
            update grant_holds h set claims = '[]'
            where exists (
                select from jsonb_array_elements(h.claims) c
                join unnest(@Kinds, @Hashes) as w (kind, hash) on c ->> 'kind' = w.kind and c ->> 'hash' = encode(w.hash, 'hex'))
        ),
        audited as (
            insert into audit_logs (timestamp, action, result, resource_type, metadata)
            select @Now::timestamptz, 'claims.forget', 'success', 'grant_claims',
                jsonb_build_object('by', @By::text, 'claims', (select jsonb_agg(f.kind || ' ' || f.policy) from forgotten f))
        )
        select f.kind, f.policy from forgotten f order by f.kind, f.policy
        """;

    private const string PurgeSql =
        """
        delete from grant_claims
        where ctid = any (array(
            select g.ctid from grant_claims g
            left join user_credits c on c.user_id = g.first_user
            where g.at < @Before::timestamptz and (c.user_id is null or c.status = 'closed' and c.updated_at < @Before)
            limit @Limit::integer
            for update of g skip locked))
        returning kind
        """;

    /// <summary>Records as taken what was taken under another name; first in a transaction that takes claims.</summary>
    public static Task CarryAsync(
        NpgsqlConnection connection, IReadOnlyCollection<AskedClaim> claims, CancellationToken cancellationToken) =>
        WithOthers(claims) is { Length: > 0 } pairs
            ? connection.QueryPreparedAsync<int>(CarrySql, Columns(pairs), cancellationToken)
            : Task.CompletedTask;

    /// <summary>Takes the other names of what this transaction took; last in it.</summary>
    /// <param name="connection">In the transaction.</param>
    /// <param name="claims">All that were asked for.</param>
    /// <param name="now">When they were taken.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <exception cref="PostgresException">A serialization failure: another account took one meanwhile. Repeat the transaction.</exception>
    public static Task CompleteAsync(
        NpgsqlConnection connection, IReadOnlyCollection<AskedClaim> claims, DateTimeOffset now, CancellationToken cancellationToken) =>
        WithOthers(claims) is { Length: > 0 } pairs
            ? connection.QueryPreparedAsync<int>(CompleteSql, [.. Columns(pairs), Time("Now", now)], cancellationToken)
            : Task.CompletedTask;

    /// <summary>Takes a claim for an account in the transaction that gives the grant; false where another account has it.</summary>
    public static async Task<bool> TakeAsync(
        NpgsqlConnection connection, AskedClaim claim, string accountId, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await CarryAsync(connection, [claim], cancellationToken);
        var taken = await connection.QueryPreparedAsync<string>(
            TakeSql,
            [
                Text("Kind", claim.Claim.Kind), new("Hash", NpgsqlDbType.Bytea) { Value = claim.Claim.Hash }, Text("Policy", claim.Policy),
                Text("AccountId", accountId), Time("Now", now),
            ],
            cancellationToken);
        await CompleteAsync(connection, [claim], now, cancellationToken);
        return taken.Count > 0;
    }

    /// <summary>Takes all claims, one after another; false where another account has one, and those before it are taken.</summary>
    public static async Task<bool> TakeAllAsync(
        NpgsqlConnection connection, IEnumerable<AskedClaim> claims, string accountId, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        foreach (var claim in claims)
        {
            if (!await TakeAsync(connection, claim, accountId, now, cancellationToken))
                return false;
        }

        return true;
    }

    /// <summary>The account that has a claim, by any of its names; null where none has.</summary>
    public async Task<string?> HolderAsync(AskedClaim claim, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            HolderSql, [.. Columns([claim.Claim, .. claim.Claim.Others]), Text("Policy", claim.Policy)], cancellationToken))
            .SingleOrDefault();

    /// <summary>Forgets claims of all policies, with an audit row. What they stand for can earn again.</summary>
    public Task<IReadOnlyList<ForgottenClaim>> ForgetAsync(
        IEnumerable<Claim> claims, string by, DateTimeOffset now, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<ForgottenClaim>(
            ForgetSql, [.. Columns([.. claims]), Text("By", by), Time("Now", now)], cancellationToken);

    /// <summary>Deletes at most <paramref name="limit"/> claims whose account was closed before then, and returns how many.</summary>
    public async Task<int> PurgeAsync(DateTimeOffset before, int limit, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            PurgeSql, [Time("Before", before), new("Limit", NpgsqlDbType.Integer) { Value = limit }], cancellationToken)).Count;

    private static (AskedClaim Asked, Claim Other)[] WithOthers(IReadOnlyCollection<AskedClaim> claims) =>
        [.. claims.SelectMany(asked => asked.Claim.Others.Select(other => (asked, other)))];

    private static NpgsqlParameter[] Columns((AskedClaim Asked, Claim Other)[] pairs) =>
    [
        pairs.Column("Kinds", NpgsqlDbType.Text, pair => pair.Asked.Claim.Kind),
        pairs.Column("Hashes", NpgsqlDbType.Bytea, pair => pair.Asked.Claim.Hash),
        pairs.Column("Policies", NpgsqlDbType.Text, pair => pair.Asked.Policy),
        pairs.Column("OtherKinds", NpgsqlDbType.Text, pair => pair.Other.Kind),
        pairs.Column("OtherHashes", NpgsqlDbType.Bytea, pair => pair.Other.Hash),
    ];

    private static NpgsqlParameter[] Columns(Claim[] claims) =>
    [
        claims.Column("Kinds", NpgsqlDbType.Text, claim => claim.Kind), claims.Column("Hashes", NpgsqlDbType.Bytea, claim => claim.Hash),
    ];

    private static NpgsqlParameter Text(string name, string value) => new(name, NpgsqlDbType.Text) { Value = value };

    private static NpgsqlParameter Time(string name, DateTimeOffset at) => new(name, NpgsqlDbType.TimestampTz) { Value = at.UtcDateTime };
}

/// <param name="Policy">The grant that it was for.</param>
internal sealed record ForgottenClaim(string Kind, string Policy);
