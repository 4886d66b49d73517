-- Keeps that an account gave a code, with what speaks against it. Both accounts are locked, so that of codes given in a circle at the same
-- time each sees the one before. For a code that means nothing the same is done and nothing kept.

-- them: both accounts, of one realm.
with recursive them as (
    select e.user_id as referee, a.user_id as referrer, a.status as referrer_status,
        e.user_id = a.user_id or e.keycloak_id = a.keycloak_id as is_own,
        coalesce(ke.created_at, e.created_at) as referee_since, coalesce(ka.created_at, a.created_at) as referrer_since,
        e.created_at >= p.activated_at as is_new
    from user_credits e
    join user_credits a on a.user_id = @Referrer::text and a.realm = e.realm and a.keycloak_id is not null
    join grant_policies p on p.realm = e.realm and p.policy = 'referral'
    left join keycloak_users ke on ke.realm = e.realm and ke.keycloak_id = e.keycloak_id
    left join keycloak_users ka on ka.realm = a.realm and ka.keycloak_id = a.keycloak_id
    where e.user_id = @Referee::text and e.keycloak_id is not null and e.status <> 'closed'
),
-- chain: who brought the referrer, who brought that one, and so on.
chain as (
    select t.referrer as account, 0 as steps from them t
    union
    select r.referrer, c.steps + 1
    from chain c
    join referrals r on r.referee = c.account and r.state <> 'refused'
    where c.steps < 100
)
insert into referrals (referrer, referee, state, reason, touched_at, evaluated_at, due_at, ended_at)
select d.referrer, d.referee, case when d.reason is null then 'touched' else 'refused' end, d.reason, @Now::timestamptz, @Now,
    case when d.reason is null then @Now end, case when d.reason is not null then @Now end
from (
    select t.*, case
            when t.is_own then 'own_code'
            when exists (select from chain c where c.account = t.referee) then 'circle'
            when t.referrer_status = 'closed' then 'referrer_closed'
            when t.referee_since <= t.referrer_since then 'referee_older'
            when t.referee_since <= @Now::timestamptz - @Window::interval or not t.is_new then 'too_late'
            when exists (select from credit_transactions x where x.user_id = t.referee and x.grant_key = 'referral:received')
                then 'already_received'
        end as reason
    from them t) d
on conflict do nothing
returning state, reason
