-- Keeps from where users registered. The caller holds the lock of the realm, so that of two users at once each has another count.
-- It runs by one kept plan for one user and for thousands, so each question about the table reads a few rows of one index, however large
-- the realm is.

-- asked: users that are not kept, or whose network was not known, each at a moment of its own, and in a span of five minutes.
with asked as (
    select w.keycloak_id, w.registered_at, w.network, w.missing, w.at, date_bin('5 minutes', w.at, timestamptz 'epoch')::text as span
    from (
        select u.*, u.registered_at + u.number * interval '1 microsecond' as at
        from unnest(@KeycloakIds::text[], @RegisteredAts::timestamptz[], @Networks::bytea[], @Missing::text[])
            with ordinality as u (keycloak_id, registered_at, network, missing, number)) w
    where (
        select o.keycloak_id from fraud_origins o
        where o.realm = @Realm::text and o.keycloak_id = w.keycloak_id
            and (o.network is not null or o.missing = 'administrator' or w.network is null)) is null
),
-- beside: how many users of this batch came before the user, as the table does not show them yet.
beside as (
    select a.*,
        count(*) over (partition by a.network order by a.at range between interval '1 hour' preceding and current row) as of_hour,
        count(*) over (partition by a.network order by a.at range between interval '1 day' preceding and current row) as of_day,
        count(*) filter (where a.network is not null) over (
            order by a.at range between interval '1 hour' preceding and current row) as all_of_hour
    from asked a
),
-- sampled: the latest two hundred of the hour tell the share of a network. Users of one span share them. They stand in one object, as a
-- join would compare each user with each network.
sampled as (
    select jsonb_object_agg(concat(g.span, ' ', encode(g.network, 'hex')), g.users) as users
    from (
        select s.span, r.network, count(*) as users
        from (select distinct a.span from asked a where a.network is not null) s
        cross join lateral (
            select o.network from fraud_origins o
            where o.realm = @Realm and o.in_hour >= 0 and o.network is not null
                and o.registered_at > s.span::timestamptz - interval '1 hour'
                and o.registered_at < s.span::timestamptz + interval '10 minutes'
            order by o.registered_at desc
            limit 200) r
        group by grouping sets ((s.span, r.network), s.span)) g
),
-- counted: the same of the table, and whether the network is a proxy's.
counted as (
    select b.*, p.in_hour, p.in_day, p.was_proxy,
        b.all_of_hour + coalesce(((select m.users from sampled m) ->> concat(b.span, ' '))::integer, 0) as sampled,
        b.of_hour + coalesce(((select m.users from sampled m) ->> concat(b.span, ' ', encode(b.network, 'hex')))::integer, 0)
            as of_network
    from beside b
    left join lateral (
        select count(*) filter (where l.registered_at > b.at - interval '1 hour') as in_hour, count(*) as in_day, (
            select o.network from fraud_origins o
            where o.realm = @Realm and o.network = b.network and o.missing = 'proxy' and o.registered_at > b.at - interval '1 day'
            limit 1) is not null as was_proxy
        from (
            select o.registered_at from fraud_origins o
            where o.realm = @Realm and o.network = b.network and o.registered_at > b.at - interval '1 day'
                and o.registered_at < b.at + interval '5 minutes'
            order by o.registered_at desc
            limit 10) l) p on b.network is not null
)
insert into fraud_origins as o (realm, keycloak_id, registered_at, network, missing, in_hour, in_day)
select @Realm, c.keycloak_id, c.registered_at, c.network,
    case when c.was_proxy or c.sampled > 50 and c.of_network * 2 > c.sampled then 'proxy' else c.missing end,
    case when c.network is null then 0 else least(10, c.in_hour + c.of_hour) end,
    case when c.network is null then 0 else least(10, c.in_day + c.of_day) end
from counted c
order by c.keycloak_id
on conflict (realm, keycloak_id) do update set
    registered_at = excluded.registered_at, network = excluded.network, missing = excluded.missing, in_hour = excluded.in_hour,
    in_day = excluded.in_day
where o.network is null and o.missing <> 'administrator' and excluded.network is not null
