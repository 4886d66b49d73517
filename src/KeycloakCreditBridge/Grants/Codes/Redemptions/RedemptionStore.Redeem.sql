-- Tries a code for an account whose lock the transaction holds: takes a place, finds the place that the account took before, or keeps that
-- the attempt failed. Whatever is wrong with a code, the work is the same.

-- clock: one time for all that is compared.
with clock as (
    select coalesce(@At::timestamptz, now()) as at
),
-- earlier: failures within the times of the limits, each counted up to its limit, and since when that many are counted. Those of one user
-- are exact: the account's lock lets one attempt in after the other.
earlier as (
    select o.failures as own, o.since as own_since, n.failures as network, n.since as network_since, r.failures as realm,
        r.since as realm_since
    from clock t
    cross join lateral (
        select count(*) as failures, min(f.failed_at) as since
        from (
            select f.failed_at from code_failures f
            where f.realm = @Realm::text and f.keycloak_id = @KeycloakId::text and f.failed_at > t.at - @ShortTime::interval
            order by f.failed_at desc limit @OwnLimit::integer) f) o
    cross join lateral (
        select count(*) as failures, min(f.failed_at) as since
        from (
            select f.failed_at from code_failures f
            where f.realm = @Realm and f.network = @Network::bytea and f.failed_at > t.at - @ShortTime
            order by f.failed_at desc limit @NetworkLimit::integer) f) n
    cross join lateral (
        select count(*) as failures, min(f.failed_at) as since
        from (
            select f.failed_at from code_failures f
            where f.realm = @Realm and f.failed_at > t.at - @LongTime::interval
            order by f.failed_at desc limit @RealmLimit::integer) f) r
),
-- known: the code, and what the account has of its campaign.
known as (
    select c.id, c.campaign_id, g.name, g.credits, g.expires_after, g.starts_at, g.ends_at, g.requires, r.code_id as earlier_code,
        r.state as earlier_state
    from codes c
    join code_campaigns g on g.id = c.campaign_id
    left join code_redemptions r on r.campaign_id = c.campaign_id and r.user_id = @Account::text
    where c.realm = @Realm and c.code_hash = @Hash::bytea
),
-- taken: a place. Of attempts at once each waits for the one before, and compares again.
taken as (
    update codes c
    set redeemed = c.redeemed + 1
    from known k
    cross join clock t
    cross join earlier e
    join user_credits a on a.user_id = @Account
    where c.id = k.id and k.earlier_code is null and e.own < @OwnLimit and a.status <> 'closed' and c.disabled_at is null
        and c.redeemed < c.max_redemptions and t.at >= k.starts_at and (k.ends_at is null or t.at < k.ends_at)
    returning k.id, k.campaign_id, k.name, k.credits, k.expires_after, k.requires,
        case when a.status = 'active' and cardinality(k.requires) = 0 and not @Reviewed::boolean then 'paid' else 'held' end as state, true as is_new
),
-- found: that place, or the one that the account took before by this code.
found as (
    select * from taken
    union all
    select k.id, k.campaign_id, k.name, k.credits, k.expires_after, k.requires, k.earlier_state, false
    from known k cross join earlier e
    where k.earlier_code = k.id and k.earlier_state in ('held', 'paid') and e.own < @OwnLimit
),
-- kept: the redemption.
kept as (
    insert into code_redemptions (campaign_id, user_id, code_id, state, redeemed_at, decided_at)
    select k.campaign_id, @Account, k.id, k.state, t.at, case when k.state = 'paid' then t.at end
    from taken k cross join clock t
),
-- scheduled: an evaluation of the user where the place is held, so that a kill loses nothing.
scheduled as (
    insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
    select @Realm, @KeycloakId, 'code', t.at from taken k cross join clock t where k.state = 'held'
    on conflict (realm, keycloak_id, what) do update set due_at = least(scheduled_evaluations.due_at, excluded.due_at)
),
-- failed: the attempt, where it found nothing.
failed as (
    insert into code_failures (realm, keycloak_id, network, failed_at)
    select @Realm, @KeycloakId, @Network, t.at
    from clock t cross join earlier e
    where e.own < @OwnLimit and not exists (select from found)
),
-- forgotten: some that no limit counts any more.
forgotten as (
    delete from code_failures f
    using (
        select o.ctid as place from code_failures o cross join clock t
        where o.realm = @Realm and o.failed_at <= t.at - @LongTime
        order by o.failed_at limit 10 for update of o skip locked) o
    where f.ctid = o.place and not exists (select from found)
)
select t.at, e.own, e.own_since, e.network, e.network_since, e.realm, e.realm_since, f.id, f.name as campaign, f.campaign_id, f.credits,
    f.expires_after, array_to_string(f.requires, ',') as requires, f.state, f.is_new
from clock t
cross join earlier e
left join found f on true
