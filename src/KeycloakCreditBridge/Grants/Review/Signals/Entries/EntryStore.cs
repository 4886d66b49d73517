using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Review.Signals.Entries;

/// <summary>What operators say of domains and addresses. Each change has an audit row.</summary>
internal sealed class EntryStore(NpgsqlDataSource dataSource)
{
    private const string ListSql =
        """
        select e.kind, e.value, e.verdict, e.note, e.made_by, e.made_at
        from fraud_entries e
        order by e.kind, e.value
        limit @Limit::integer
        """;

    private const string SetSql =
        """
        with made as (
            insert into fraud_entries as e (kind, value, verdict, note, made_by, made_at)
            values (@Kind::text, @Value::text, @Verdict::text, @Note::text, @By::text, @Now::timestamptz)
            on conflict (kind, value) do update set
                verdict = excluded.verdict, note = excluded.note, made_by = excluded.made_by, made_at = excluded.made_at
            returning kind, value, verdict, note
        )
        insert into audit_logs (timestamp, action, result, resource_type, resource_id, metadata)
        select @Now, 'fraud.' || m.verdict, 'success', 'fraud_entries', m.value,
            jsonb_strip_nulls(jsonb_build_object('kind', m.kind, 'by', @By, 'note', m.note))
        from made m
        """;

    private const string RemoveSql =
        """
        with removed as (delete from fraud_entries e where e.kind = @Kind::text and e.value = @Value::text returning e.kind, e.value),
        audited as (
            insert into audit_logs (timestamp, action, result, resource_type, resource_id, metadata)
            select @Now::timestamptz, 'fraud.remove', 'success', 'fraud_entries', r.value,
                jsonb_build_object('kind', r.kind, 'by', @By::text)
            from removed r)
        select r.value from removed r
        """;

    private const string ForgetSql =
        """
        with users as (delete from fraud_registrations r where r.inbox = @Inbox::bytea returning r.realm, r.keycloak_id),
        origins as (
            delete from fraud_origins o using users u where o.realm = u.realm and o.keycloak_id = u.keycloak_id returning o.keycloak_id),
        entries as (delete from fraud_entries e where e.kind = 'address' and e.value = @Value::text returning e.value),
        audited as (
            insert into audit_logs (timestamp, action, result, resource_type, metadata)
            values (@Now::timestamptz, 'fraud.forget', 'success', 'fraud_registrations',
                jsonb_build_object('by', @By::text, 'users', (select count(*) from users), 'entries', (select count(*) from entries))))
        select u.keycloak_id from users u
        """;

    public Task<IReadOnlyList<Entry>> ListAsync(int limit, CancellationToken cancellationToken) => dataSource.QueryPreparedAsync<Entry>(
        ListSql, [new("Limit", NpgsqlDbType.Integer) { Value = limit }], cancellationToken);

    /// <summary>Allows or denies; what was said before of the same is replaced.</summary>
    /// <param name="entry">Its value is a domain, or the keyed hash of an inbox in hexadecimal.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public Task SetAsync(Entry entry, CancellationToken cancellationToken) => dataSource.QueryPreparedAsync<int>(
        SetSql,
        [
            Text("Kind", entry.Kind), Text("Value", entry.Value), Text("Verdict", entry.Verdict), Text("Note", entry.Note),
            Text("By", entry.MadeBy), Time("Now", entry.MadeAt),
        ],
        cancellationToken);

    /// <summary>Whether there was such an entry.</summary>
    public async Task<bool> RemoveAsync(string kind, string value, string by, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            RemoveSql, [Text("Kind", kind), Text("Value", value), Text("By", by), Time("Now", now)], cancellationToken)).Count > 0;

    /// <summary>Deletes all that signals keep of an inbox, in all realms, and returns of how many users that was.</summary>
    public async Task<int> ForgetAsync(byte[] inbox, string by, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            ForgetSql,
            [
                new("Inbox", NpgsqlDbType.Bytea) { Value = inbox }, Text("Value", Convert.ToHexStringLower(inbox)), Text("By", by),
                Time("Now", now),
            ],
            cancellationToken)).Count;

    private static NpgsqlParameter Text(string name, string? value) =>
        new(name, NpgsqlDbType.Text) { Value = (object?)value ?? DBNull.Value };

    private static NpgsqlParameter Time(string name, DateTimeOffset at) => new(name, NpgsqlDbType.TimestampTz) { Value = at.UtcDateTime };
}

/// <param name="Kind">`domain` or `address`.</param>
/// <param name="Verdict">`allow` or `deny`.</param>
internal sealed record Entry(string Kind, string Value, string Verdict, string? Note, string MadeBy, DateTimeOffset MadeAt);
