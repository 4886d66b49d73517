-- Counts known users by day of registration. Each is in one box, so that the boxes add up to the known users.

-- installed: since when there is a bridge. A user that registered before was never to be found at once.
with installed as (select min(applied_at) as at from schema_migrations),
-- welcomed: the rule that decided the welcome of an account, where one did. Arms of experiments are one: what their users do is told with
-- the check of their sample ratio only.
welcomed as (
    select g.user_id, case when t.metadata ->> 'rule' like 'experiment:%' then 'experiment' else t.metadata ->> 'rule' end as rule
    from credit_grants g
    join credit_transactions t on t.user_id = g.user_id and t.grant_key = g.grant_key
    where g.grant_key = 'welcome' and g.policy is not null
),
-- claimed: what the browsers of enough users of a realm said that brought them. The rest, which may be anything, is one group.
claimed as (
    select s.realm, s.source
    from (
        select c.realm, a.source, row_number() over (partition by c.realm order by count(*) desc, a.source collate "C") as place
        from attributions a
        join user_credits c on c.user_id = a.user_id
        where a.source is not null
        group by c.realm, a.source
        having count(*) >= @LeastClaims::integer) s
    where s.place <= @MostClaims::integer
),
-- known: every known user with its account, and every user that only waits in a hint. The arm is that of the first experiment that the
-- user came into, which decided its welcome. It is looked up by user: to sort all assignments takes longer than the rest.
known as (
    select k.realm, coalesce(k.created_at, c.created_at) as registered_at, k.user_state, k.reason, c.tier, c.user_id is not null as has_account,
        case when c.user_id is null then 'none' else coalesce(c.source, 'adoption') end as way, coalesce(w.rule, 'none') as source,
        coalesce(e.arm, 'none') as arm, case when a.source is null then 'none' else coalesce(m.source, 'other') end as utm,
        c.granted_at, c.first_read_at, c.first_spend_at, c.exhausted_at, c.purchased_at
    from keycloak_users k
    left join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
    left join lateral (
        select a.experiment || ':' || a.version || ':' || a.arm as arm
        from experiment_assignments a
        where a.realm = k.realm and a.keycloak_id = k.keycloak_id
        order by a.assigned_at, a.experiment
        limit 1) e on true
    left join welcomed w on w.user_id = c.user_id
    left join attributions a on a.user_id = c.user_id
    left join claimed m on m.realm = c.realm and m.source = a.source
    where coalesce(k.created_at, c.created_at, '-infinity') >= @Since::timestamptz or k.created_at is null and c.created_at is null
    union all
    select h.realm, h.hinted_at, case h.state when 'dead' then 'dead' else 'waiting' end, null, null, false, h.source, 'none', 'none', 'none', null,
        null, null, null, null
    from user_hints h
    where h.hinted_at >= @Since
        and not exists (select from keycloak_users k where k.realm = h.realm and k.keycloak_id = h.keycloak_id)
),
-- placed: the same with day and box.
placed as materialized (
    select k.*, coalesce((k.registered_at at time zone @Zone::text)::date, date '0001-01-01') as day,
        case
            when k.user_state in ('waiting', 'dead', 'deleted', 'service_account') then k.user_state
            when k.user_state = 'excluded' then case when k.reason = 'account_id_taken' then 'id_taken' else 'excluded' end
            when not k.has_account then 'lost'
            when k.way = 'adoption' then 'adopted'
            when k.way = 'backfill' or k.registered_at < (select i.at from installed i) then 'backfilled'
            when k.user_state = 'held' then 'held'
            else 'account' end as box
    from known k
),
-- counted: the users by all that is known of them but their claims.
counted as (
    insert into analytics_funnel (
        day, realm, tier, source, arm, way, box, users, provisioned, granted, first_read, first_spend, exhausted, purchased)
    select day, realm, coalesce(tier, ''), source, arm, way, box, count(*), count(*) filter (where has_account), count(granted_at),
        count(first_read_at), count(first_spend_at), count(exhausted_at), count(purchased_at)
    from placed
    where day >= @From::date or day = date '0001-01-01'
    group by day, realm, tier, source, arm, way, box
)
insert into analytics_utm (day, realm, utm, box, users, provisioned, granted, first_read, first_spend, exhausted, purchased)
select day, realm, utm, box, count(*), count(*) filter (where has_account), count(granted_at), count(first_read_at), count(first_spend_at),
    count(exhausted_at), count(purchased_at)
from placed
where day >= @From or day = date '0001-01-01'
group by day, realm, utm, box
