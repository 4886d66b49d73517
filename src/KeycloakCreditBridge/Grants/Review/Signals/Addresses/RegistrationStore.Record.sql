-- Keeps users that are not kept yet, with the signals that speak of each. The caller holds the lock of their realms, so that of two users at
-- once each has another count. It runs by one kept plan for one user and for thousands, so each question about the table reads a few rows of
-- one index, however large the realm is; `exists` would let PostgreSQL read the whole table.

-- asked: users that are not kept, each at a moment of its own.
with asked as (
    select w.realm, w.keycloak_id, w.registered_at, w.inbox, w.domain, w.series, w.signals, w.is_common, w.is_old,
        w.registered_at + w.number * interval '1 microsecond' as at, w.number
    from unnest(@Realms::text[], @KeycloakIds::text[], @RegisteredAts::timestamptz[], @Inboxes::bytea[], @Domains::bytea[],
            @Series::bytea[], @Signals::text[], @AreCommon::boolean[], @AreOld::boolean[])
        with ordinality as w (realm, keycloak_id, registered_at, inbox, domain, series, signals, is_common, is_old, number)
    where (select r.keycloak_id from fraud_registrations r where r.realm = w.realm and r.keycloak_id = w.keycloak_id) is null
),
-- earlier: users whose inbox was kept by a key of before.
earlier as (
    select e.number
    from unnest(@EarlierNumbers::bigint[], @EarlierInboxes::bytea[]) as e (number, inbox)
    join asked a on a.number = e.number
    where (select r.inbox from fraud_registrations r where r.realm = a.realm and r.inbox = e.inbox limit 1) is not null
),
-- counted: how many users of this batch came before the user, as the table does not show them yet. Work side by side keeps users in another order than they came,
-- by minutes at most.
counted as (
    select a.*,
        row_number() over (partition by a.realm, a.inbox order by a.at) > 1
            or (select r.inbox from fraud_registrations r where r.realm = a.realm and r.inbox = a.inbox limit 1) is not null
            or a.number in (select e.number from earlier e) as has_inbox,
        count(*) over (
            partition by a.realm, a.domain order by a.at range between interval '10 minutes' preceding and current row) as beside_domain,
        count(*) over (
            partition by a.realm, a.series order by a.at range between interval '1 hour' preceding and current row) as beside_series
    from asked a
),
-- spoken: which signals speak.
spoken as (
    select c.*,
        not c.is_old and c.inbox is not null and c.has_inbox as same_inbox,
        not c.is_old and c.domain is not null and not c.is_common and c.beside_domain + (
            select count(*) from (
                select from fraud_registrations r
                where r.realm = c.realm and r.domain = c.domain and r.registered_at > c.at - interval '10 minutes'
                    and r.registered_at < c.at + interval '5 minutes'
                limit 20) p) >= 20 as in_burst,
        not c.is_old and c.series is not null and c.beside_series + (
            select count(*) from (
                select from fraud_registrations r
                where r.realm = c.realm and r.series = c.series and r.registered_at > c.at - interval '1 hour'
                    and r.registered_at < c.at + interval '5 minutes'
                limit 5) p) >= 5 as in_series
    from counted c
)
insert into fraud_registrations (realm, keycloak_id, registered_at, inbox, domain, series, signals)
select s.realm, s.keycloak_id, s.registered_at, s.inbox, s.domain, s.series,
    case when s.is_old then '{}'::text[] else string_to_array(s.signals, ',') || array_remove(array[
        case when s.same_inbox then 'same_inbox' end,
        case when s.in_burst then 'domain_burst' end,
        case when s.in_series then 'sequential_names' end], null) end
from spoken s
order by s.realm, s.keycloak_id
on conflict (realm, keycloak_id) do nothing
returning keycloak_id
