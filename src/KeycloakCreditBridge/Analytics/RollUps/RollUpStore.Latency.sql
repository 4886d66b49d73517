-- How long users waited for their accounts. Adopted and backfilled ones did not wait. A negative time, of clocks that differ, counts as 0.

-- installed: since when there is a bridge.
with installed as (select min(applied_at) as at from schema_migrations),
-- waited: the milliseconds of each user.
waited as (
    select k.realm, c.source as way, (k.created_at at time zone @Zone::text)::date as day,
        (extract(epoch from c.created_at - k.created_at) * 1000)::bigint as ms
    from keycloak_users k
    join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
    cross join installed i
    where k.created_at >= @Since::timestamptz and k.created_at >= i.at and c.source is not null and c.source <> 'backfill'
)
insert into analytics_latency (day, realm, way, bucket, users, skewed, max_ms)
select day, realm, way,
    case when ms < 1 then 0 else 1 + floor(ln(ms::double precision) / ln(1.04::double precision))::integer end as bucket,
    count(*), count(*) filter (where ms < 0), greatest(max(ms), 0)
from waited
where day >= @From::date
group by day, realm, way, bucket
