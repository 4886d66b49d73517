-- Part of a statement: claims addresses before their grants are decided. A batch without addresses does without it.

-- claimed: what this statement claims for an account, for accounts from before the bridge too.
claimed as (
    insert into grant_claims (kind, hash, policy, first_user, at)
    select distinct on (e.claim_kind, e.claim_hash) e.claim_kind, e.claim_hash, 'welcome', e.account_id, @Now::timestamptz
    from (
        select o.claim_kind, o.claim_hash, o.account_id from opening o where o.claim_hash is not null
        union all
        select w.claim_kind, w.claim_hash, w.account_id from decision w
        where w.claim_hash is not null and w.present and w.current and w.status_wanted in ('active', 'held') and w.owner <> 'other'
            and (w.grant_pending is not true or w.desired_state <> 'excluded')
            and (select g.first_user from grant_claims g
                where g.first_user = w.account_id and g.kind = w.claim_kind and g.policy = 'welcome' limit 1) is null) e
    order by e.claim_kind, e.claim_hash, e.account_id collate "C"
    on conflict (kind, hash, policy) do nothing
    returning kind, hash, first_user
),
