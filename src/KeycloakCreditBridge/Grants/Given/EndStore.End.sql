-- Gives promotional grants of locked accounts, which have no end, one and the same. A ledger row of nothing keeps the order of what was
-- spent before and after.

-- ending: the grants, with the time at which each is booked.
with ending as (
    select w.*, c.credits_remaining,
        credit_booking_time(@Now::timestamptz, c.updated_at) + (row_number() over own - 1) * interval '1 microsecond' as booked_at
    from unnest(@Accounts::text[], @Grants::text[], @Amounts::numeric[], @Priorities::integer[], @GrantedAts::timestamptz[])
        with ordinality as w (user_id, grant_key, amount, priority, granted_at, position)
    join user_credits c on c.user_id = w.user_id
    window own as (partition by w.user_id order by w.position)
),
-- stamped: the grants, which get a row where they had none.
stamped as (
    insert into credit_grants (user_id, grant_key, amount, priority, granted_at, expires_at)
    select user_id, grant_key, amount, priority, granted_at, @End::timestamptz from ending
    on conflict (user_id, grant_key) do update set expires_at = excluded.expires_at, noticed_days = null
),
-- entries: the ledger rows.
entries as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select e.user_id, 0, e.credits_remaining, 'adjustment', jsonb_build_object(
            'reason', 'grant_extended', 'grant', e.grant_key, 'expires_from', null, 'expires_to', @End,
            'priority_from', e.priority, 'priority_to', e.priority, 'by', @By::text),
        e.booked_at, 'extend:' || e.grant_key || '#' || (
            select count(*) + 1 from credit_transactions t
            where t.user_id = e.user_id and t.grant_key is not null and starts_with(t.grant_key, 'extend:' || e.grant_key || '#'))
    from ending e
),
-- audited: an audit row for each.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
    select @Now, user_id, 'credit.extend', 'success', 'user_credits', user_id, jsonb_build_object(
        'grant', grant_key, 'expires_from', null, 'expires_to', @End, 'priority', priority, 'by', @By)
    from ending
)
update user_credits c
set next_expiry = least(c.next_expiry, @End), updated_at = s.booked_at
from (select user_id, max(booked_at) as booked_at from ending group by user_id) s
where c.user_id = s.user_id
