-- Books out what is over in locked accounts. The rows of one account follow each other by a microsecond, behind every row before. A lot
-- that got something back after it was booked out is booked out again, under its key with a number.

-- account: the accounts as they are.
with account as (
    select c.user_id, c.credits_remaining as balance, credit_booking_time(@Now::timestamptz, c.updated_at) as booked_at
    from unnest(@Accounts::text[]) as a (account_id)
    join user_credits c on c.user_id = a.account_id
),
-- lost: each remainder, with the sum up to it and the key of its ledger row.
lost as (
    select b.*, a.balance, (row_number() over own - 1) * interval '1 microsecond' + a.booked_at as booked_at,
        sum(b.amount) over own as running, k.key || case when e.earlier > 0 then '#' || e.earlier + 1 else '' end as entry_key
    from unnest(@Owners::text[], @Lots::text[], @Amounts::numeric[], @Granted::numeric[], @Ends::timestamptz[], @Expired::boolean[])
        with ordinality as b (user_id, lot, amount, granted, ended_at, expired, position)
    join account a on a.user_id = b.user_id
    cross join lateral (select case when b.expired then 'expire:' else 'closed:' end || b.lot as key) k
    cross join lateral (
        select count(*) as earlier from credit_transactions t
        where t.user_id = b.user_id and t.grant_key is not null and (t.grant_key = k.key or starts_with(t.grant_key, k.key || '#'))) e
    window own as (partition by b.user_id order by b.position)
),
-- entries: the ledger rows.
entries as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select user_id, -amount, balance - running, 'adjustment', jsonb_strip_nulls(jsonb_build_object(
            'reason', case when expired then 'expired' else 'lot_closed' end, 'grant', lot, 'granted', granted::numeric(20, 6)::text,
            'ended_at', ended_at)),
        booked_at, entry_key
    from lost
    order by position
),
-- audited: an audit row for each.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
    select @Now, user_id, 'credit.expired', 'success', 'user_credits', user_id, jsonb_strip_nulls(jsonb_build_object(
        'grant', lot, 'amount', amount::numeric(20, 6)::text, 'granted', granted::numeric(20, 6)::text, 'ended_at', ended_at,
        'reason', case when not expired then 'lot_closed' end))
    from lost
),
-- closed: the grants that ended, spent ones too.
closed as (
    update credit_grants g
    set closed_at = g.expires_at, close_reason = 'expired'
    from unnest(@Accounts) as a (account_id)
    where g.user_id = a.account_id and g.closed_at is null and g.expires_at <= @At::timestamptz
)
update user_credits c
set credits_remaining = c.credits_remaining - coalesce(s.amount, 0), updated_at = coalesce(s.booked_at, c.updated_at),
    next_expiry = (
        select min(g.expires_at) from credit_grants g where g.user_id = c.user_id and g.closed_at is null and g.expires_at > @At)
from unnest(@Accounts) as a (account_id)
left join (select user_id, sum(amount) as amount, max(booked_at) as booked_at from lost group by user_id) s on s.user_id = a.account_id
where c.user_id = a.account_id
