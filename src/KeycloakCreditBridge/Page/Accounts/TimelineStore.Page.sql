with
-- ledger_rows: rows without a grant's key, which stand in the index by time.
ledger_rows as (
    select t.* from credit_transactions t
    where t.user_id = @AccountId::text and t.grant_key is null and (@Kind::text is null or @Kind = 'ledger')
        and coalesce(t.created_at, timestamptz '-infinity') <= @At::timestamptz
        and (coalesce(t.created_at, timestamptz '-infinity'), 'ledger', t.id::text collate "C")
            < (@At, @BeforeKind::text, @BeforeId::text collate "C")
    order by coalesce(t.created_at, timestamptz '-infinity') desc, t.id desc
    limit @Limit::integer
),
-- grant_rows: the few rows of grants, which stand in the index of their keys.
grant_rows as (
    select t.* from credit_transactions t
    where t.user_id = @AccountId and t.grant_key is not null and (@Kind is null or @Kind = 'ledger')
        and (coalesce(t.created_at, timestamptz '-infinity'), 'ledger', t.id::text collate "C") < (@At, @BeforeKind, @BeforeId collate "C")
    order by coalesce(t.created_at, timestamptz '-infinity') desc, t.id desc
    limit @Limit
),
-- audit_rows: what the bridge and operators did with the account.
audit_rows as (
    select a.* from audit_logs a
    where a.user_id = @AccountId and (@Kind is null or @Kind = 'audit') and a.timestamp <= @At
        and (a.timestamp, 'audit', a.id::text collate "C") < (@At, @BeforeKind, @BeforeId collate "C")
    order by a.timestamp desc, a.id::text collate "C" desc
    limit @Limit
),
-- delivery_rows: what came in about the user.
delivery_rows as (
    select d.* from deliveries d
    where d.keycloak_id = @KeycloakId::text and d.realm = @Realm::text and (@Kind is null or @Kind = 'delivery') and d.received_at <= @At
        and (d.received_at, 'delivery', d.id::text collate "C") < (@At, @BeforeKind, @BeforeId collate "C")
    order by d.received_at desc, d.id::text collate "C" desc
    limit @Limit
)
select * from (
    select coalesce(l.created_at, timestamptz '1970-01-01 00:00:00+00') as at, 'ledger' as kind, l.id::text as id,
        l.transaction_type as title, l.amount, l.balance_after,
        coalesce(l.metadata ->> 'reason', l.metadata ->> 'source', l.model, l.provider, l.grant_key) as note, l.metadata ->> 'by' as by,
        null::text as result, jsonb_strip_nulls(to_jsonb(l) - 'user_id')::text as detail
    from (select * from ledger_rows union all select * from grant_rows) l
    union all
    select a.timestamp, 'audit', a.id::text, a.action, null, null, coalesce(a.error_message, a.metadata ->> 'reason', a.metadata ->> 'source'),
        coalesce(a.metadata ->> 'user_name', a.metadata ->> 'by'), a.result, jsonb_strip_nulls(to_jsonb(a) - 'user_id')::text
    from audit_rows a
    union all
    select d.received_at, 'delivery', d.id::text, coalesce(d.event, d.way), null, null, coalesce(replace(d.reason, '_', ' '), d.way), null,
        d.outcome, jsonb_strip_nulls(to_jsonb(d) - 'keycloak_id' - 'body')::text
    from delivery_rows d
    union all
    select h.hinted_at, 'hint', h.version::text, h.cause, null, null, coalesce(h.error, h.source), null, h.state,
        jsonb_strip_nulls(to_jsonb(h) - 'keycloak_id')::text
    from user_hints h
    where h.realm = @Realm and h.keycloak_id = @KeycloakId and (@Kind is null or @Kind = 'hint')
        and (h.hinted_at, 'hint', h.version::text collate "C") < (@At, @BeforeKind, @BeforeId collate "C")
    union all
    select g.held_at, 'hold', g.id::text, 'held ' || g.grant_key, null, null, g.credits::text || ' credits of ' || g.policy, null, g.state,
        jsonb_strip_nulls(to_jsonb(g) - 'user_id' - 'claims')::text
    from grant_holds g
    where g.user_id = @AccountId and (@Kind is null or @Kind = 'hold')
        and (g.held_at, 'hold', g.id::text collate "C") < (@At, @BeforeKind, @BeforeId collate "C")) entries
order by at desc, kind collate "C" desc, id collate "C" desc
limit @Limit
