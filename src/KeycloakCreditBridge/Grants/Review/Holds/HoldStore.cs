using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>Writes holds, each change in the transaction of what it causes.</summary>
internal static class HoldStore
{
    private static readonly string OpenSql = SqlText.Of(typeof(HoldStore), "HoldStore.Open.sql");

    private const string FindSql =
        """
        select h.id, c.realm, c.keycloak_id, h.user_id as account_id, h.grant_key, h.policy, h.policy_version, h.credits,
            h.signals::text as signals, h.terms::text as terms, h.claims::text as claims, h.state, h.version, h.appealed_at,
            c.status as account_status, p.disabled_at
        from grant_holds h
        join user_credits c on c.user_id = h.user_id
        left join grant_policies p on p.realm = c.realm and p.policy = h.policy
        where h.id = @Id::uuid and (@Realms::text[] is null or c.realm = any (@Realms))
        """;

    // The user before the account, as in everything that converges and pays.
    private const string LockSql =
        """
        select 1 as locked from keycloak_users k where k.realm = @Realm::text and k.keycloak_id = @KeycloakId::text for no key update
        """;

    private const string DecideSql =
        """
        with decided as (
            update grant_holds h
            set state = @To::text, decided_by = @By::text, decided_at = @Now::timestamptz, note = @Note::text, version = h.version + 1
            where h.id = @Id::uuid and h.version = @Version::integer and h.state = 'held'
            returning h.*
        ),
        refused as (
            insert into refused_grants (user_id, grant_key, hold_id, refused_at)
            select d.user_id, d.grant_key, d.id, @Now from decided d where @To <> 'approved'
            on conflict (user_id, grant_key) do nothing
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
            select @Now, d.user_id, case @To when 'approved' then 'hold.approve' when 'rejected' then 'hold.reject' else 'hold.lapse' end,
                'success', 'user_credits', d.user_id, jsonb_strip_nulls(jsonb_build_object('hold', d.id, 'grant', d.grant_key,
                    'amount', d.credits::numeric(20, 6)::text, 'score', d.score, 'by', @By, 'note', @Note)), @Address::text
            from decided d
        )
        select d.version from decided d
        """;

    // What an appeal reopens is rejected when it is not decided: waiting pays nothing.
    private const string AppealSql =
        """
        with latest as (
            select h.id, h.state, h.appealed_at from grant_holds h
            where h.user_id = @Account::text and h.grant_key = @Grant::text
            order by h.held_at desc, h.id limit 1
            for update
        ),
        reopened as (
            update grant_holds h
            set state = 'held', version = h.version + 1, appealed_at = @Now::timestamptz, lapses_at = @Now + h.lapse_after,
                lapse_approves = false, appeal = jsonb_strip_nulls(jsonb_build_object('text', @Text::text, 'state', h.state,
                    'decided_by', h.decided_by, 'decided_at', h.decided_at, 'note', h.note)),
                decided_by = null, decided_at = null, note = null
            from latest l
            where h.id = l.id and l.state in ('rejected', 'lapsed') and l.appealed_at is null
            returning h.id, h.user_id, h.grant_key
        ),
        freed as (
            delete from refused_grants r using reopened o where r.user_id = o.user_id and r.grant_key = o.grant_key
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
            select @Now, o.user_id, 'hold.appeal', 'success', 'user_credits', o.user_id,
                jsonb_build_object('hold', o.id, 'grant', o.grant_key)
            from reopened o
        )
        select l.id, l.state, l.appealed_at is not null as is_appealed, o.id is not null as is_reopened
        from latest l left join reopened o on true
        """;

    /// <summary>Opens holds of users that the transaction converged, and returns those that are new.</summary>
    public static Task<IReadOnlyList<OpenedHold>> OpenAsync(
        NpgsqlConnection connection, IReadOnlyCollection<NewHold> holds, DateTimeOffset now, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<OpenedHold>(
            OpenSql,
            [
                holds.Column("Realms", NpgsqlDbType.Text, hold => hold.Realm),
                holds.Column("KeycloakIds", NpgsqlDbType.Text, hold => hold.KeycloakId),
                holds.Column("Keys", NpgsqlDbType.Text, hold => hold.Key),
                holds.Column("Policies", NpgsqlDbType.Text, hold => hold.Policy),
                holds.Column("Versions", NpgsqlDbType.Text, hold => hold.PolicyVersion),
                holds.Column("Credits", NpgsqlDbType.Numeric, hold => hold.Credits),
                holds.Column("Terms", NpgsqlDbType.Text, hold => hold.Terms.ToJson()),
                holds.Column("Claims", NpgsqlDbType.Text, hold => HeldClaim.ToJson(hold.Claim)),
                holds.Column("Scores", NpgsqlDbType.Smallint, hold => (short)hold.Score),
                holds.Column("Signals", NpgsqlDbType.Text, hold => hold.Signals),
                holds.Column("States", NpgsqlDbType.Text, hold => HoldMoves.Name(hold.IsRefused ? HoldState.Rejected : HoldState.Held)),
                holds.Column("LapseAfters", NpgsqlDbType.Interval, hold => hold.LapseAfter),
                holds.Column("LapseApproves", NpgsqlDbType.Boolean, hold => hold.LapseApproves),
                BookingStore.Time("Now", now),
            ],
            cancellationToken);

    /// <summary>A hold with what its account is; null where these realms have none of this id.</summary>
    public static async Task<PayableHold?> FindAsync(
        NpgsqlConnection connection, Guid id, string[]? realms, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<PayableHold>(
            FindSql,
            [
                Id(id), new("Realms", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = realms ?? (object)DBNull.Value },
            ],
            cancellationToken)) is [var hold]
            ? hold
            : null;

    /// <summary>Locks the record of a hold's user, and then the accounts.</summary>
    public static async Task LockAsync(
        NpgsqlConnection connection, PayableHold hold, IEnumerable<string> accounts, DateTimeOffset? at,
        CancellationToken cancellationToken)
    {
        await connection.QueryPreparedAsync<int>(
            LockSql, [Text("Realm", hold.Realm), Text("KeycloakId", hold.KeycloakId)], cancellationToken);
        await BookingStore.LockAsync(connection, accounts, all: true, at, cancellationToken);
    }

    /// <summary>Decides a hold that is open and has this version; false where it was decided otherwise.</summary>
    public static async Task<bool> DecideAsync(
        NpgsqlConnection connection, HoldDecision order, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<int>(
            DecideSql,
            [
                Id(order.Id), Version(order.Version), Text("To", HoldMoves.Name(order.To)), Text("By", order.By), Text("Note", order.Note),
                Text("Address", order.Address), BookingStore.Time("Now", now),
            ],
            cancellationToken)).Count > 0;

    /// <summary>Puts the latest hold of a grant back into the queue, once; null without one.</summary>
    public static async Task<AppealedHold?> AppealAsync(
        NpgsqlDataSource dataSource, string account, string grant, string text, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<AppealedHold>(
            AppealSql,
            [Text("Account", account), Text("Grant", grant), Text("Text", text), BookingStore.Time("Now", now)],
            cancellationToken)) is [var appealed]
            ? appealed
            : null;

    private static NpgsqlParameter Id(Guid id) => new("Id", NpgsqlDbType.Uuid) { Value = id };

    private static NpgsqlParameter Version(int version) => new("Version", NpgsqlDbType.Integer) { Value = version };

    private static NpgsqlParameter Text(string name, string? value) =>
        new(name, NpgsqlDbType.Text) { Value = value ?? (object)DBNull.Value };
}
