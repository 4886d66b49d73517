-- Part of a statement: claims addresses before their grants are decided. A batch without addresses does without it.

-- claimed: the addresses that this statement claims for an account, those of accounts from before the bridge too.
claimed as (
    insert into granted_emails (email_hash, account_id, granted_at)
    select distinct on (e.email_hash) e.email_hash, e.account_id, @Now::timestamptz
    from (
        select o.email_hash, o.account_id from opening o where o.email_hash is not null
        union all
        select w.email_hash, w.account_id from decision w
        where w.email_hash is not null and w.present and w.current and w.status_wanted in ('active', 'held') and w.owner <> 'other'
            and (w.grant_pending is not true or w.desired_state <> 'excluded')
            and (select g.account_id from granted_emails g where g.account_id = w.account_id limit 1) is null) e
    order by e.email_hash, e.account_id collate "C"
    on conflict (email_hash) do nothing
    returning email_hash, account_id
),
