-- How long users waited for their accounts. Adopted and backfilled ones did not wait. A negative time, of clocks that differ, counts as 0.

-- installed: since when there is a bridge.
with installed as (select min(applied_at) as at from schema_migrations),
-- waited: the milliseconds of each user.
waited as (
    select k.realm, c.source as way, (k.created_at at time zone @Zone::text)::date as day,
        (extract(epoch from c.created_at - k.created_at) * 1000)::bigint as ms
    from keycloak_users k
    join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
    where k.created_at >= @Since::timestamptz and k.created_at >= (select i.at from installed i) and c.source is not null and c.source <> 'backfill'
),
-- summed: a row for each day, realm and way.
summed as (
    select day, realm, way, count(*) as users, count(*) filter (where ms < 0) as skewed, greatest(max(ms), 0) as max_ms,
        array_agg(greatest(ms, 0) order by ms) as waits
    from waited
    where day >= @From::date
    group by day, realm, way
),
-- bucketed: the users of each bucket.
bucketed as (
    select day, realm, way, case when ms < 1 then 0 else 1 + floor(ln(ms::double precision) / ln(1.04::double precision))::integer end as bucket,
        count(*)::integer as users
    from waited
    where day >= @From
    group by day, realm, way, bucket
),
-- histogram: the same in one row for each day, realm and way.
histogram as (
    select day, realm, way, array_agg(bucket order by bucket) as buckets, array_agg(users order by bucket) as counts
    from bucketed
    group by day, realm, way
)
-- Both have the same days, realms and ways. A join would be planned for few of them, and would read long rows again and again.
insert into analytics_waits (day, realm, way, users, skewed, max_ms, waits, buckets, counts)
select day, realm, way, sum(users), sum(skewed), max(max_ms), max(waits), max(buckets), max(counts)
from (
    select s.*, null::integer[] as buckets, null::integer[] as counts from summed s
    union all
    select day, realm, way, 0, 0, 0, null, buckets, counts from histogram) b
group by day, realm, way
