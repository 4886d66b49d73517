-- What is known of a referral. Usage that the referee's own token reported does not count, and what was refunded counts less, whatever it
-- was charged by: work that was given back shows nothing. Usage counts until the time to qualify is over, a refund at any time.
select r.id, a.realm, r.state, r.referrer, r.referee, a.keycloak_id as referrer_user, e.keycloak_id as referee_user,
    a.status as referrer_status, e.status as referee_status, r.touched_at, r.settles_at, r.checked_at is not null as is_checked,
    r.referee_grant is not null as is_paid, r.referrer_credits, r.referee_credits,
    coalesce((
        select sum(-t.amount) from credit_transactions t
        where t.user_id = r.referee and t.grant_key is null
            and (t.transaction_type = 'usage' and t.amount < 0 and t.metadata ->> 'by' is distinct from e.keycloak_id
                and coalesce(t.created_at, '-infinity') < r.touched_at + @Within::interval
                or t.transaction_type = 'refund' and t.amount > 0)), 0) as spent,
    exists (
        select from credit_transactions t where t.user_id = r.referee and t.grant_key = 'task:' || @Task::text)
        and not exists (
        select from credit_transactions t where t.user_id = r.referee and t.grant_key = 'void:task:' || @Task) as is_task_done,
    exists (
        select from credit_transactions t
        where t.user_id = r.referee and t.amount > 0 and {is_paid}
            and not exists (
                select from credit_transactions v where v.user_id = t.user_id and v.grant_key = 'void:tx:' || t.id)) as has_bought,
    r.referee_grant is null and exists (
        select from credit_transactions t where t.user_id = r.referee and t.grant_key = 'referral:received') as has_received,
    coalesce(d.referees, 0) as referees, coalesce(d.deleted, 0) as deleted_referees, (
        select h.state from grant_holds h
        where h.user_id = r.referee and h.grant_key = 'referral:received'
        order by h.held_at desc, h.id limit 1) as review
from referrals r
join user_credits a on a.user_id = r.referrer
join user_credits e on e.user_id = r.referee
left join lateral (
    select count(*) as referees, count(*) filter (where c.status = 'closed' and c.status_reason = 'deleted') as deleted
    from referrals o
    join user_credits c on c.user_id = o.referee
    where o.referrer = r.referrer and o.referee_grant is not null) d on true
where r.id = @Id::uuid
