-- The ledger rows of accounts in the order of booking, from the start or behind a checkpoint. What the bridge says of a row of its own
-- stands in its metadata; a row of a caller has `by` there, and only its key says that the bridge wrote it.

-- wanted: the accounts, each with the row behind which it is read.
with wanted as (
    select a.account_id, coalesce(a.after_time, '-infinity') as after_time,
        coalesce(a.after_id, '00000000-0000-0000-0000-000000000000') as after_id
    from unnest(@Accounts::text[], @AfterTimes::timestamptz[], @AfterIds::uuid[]) as a (account_id, after_time, after_id)
)
select w.account_id, t.id, coalesce(t.created_at, '0001-01-01T00:00:00Z') as booked_at, t.amount, t.transaction_type as type, t.grant_key,
    t.amount > 0 and {is_paid} as is_paid,
    case when t.transaction_type <> 'usage' and (t.grant_key is not null or not t.metadata ? 'by') then t.metadata ->> 'reason' end
        as reason,
    case when t.transaction_type = 'refund' then t.metadata ->> 'refunds' when t.grant_key is not null then t.metadata ->> 'grant' end as of,
    case when t.grant_key is not null then t.metadata ->> 'beyond' end as beyond,
    case when t.grant_key is not null then t.metadata ->> 'takes' end as takes,
    case when t.grant_key is not null then t.metadata ->> 'closes' end as closes,
    case when t.grant_key is not null then (t.metadata ->> 'expires_from')::timestamptz end as expires_from,
    case when t.grant_key is not null then (t.metadata ->> 'expires_to')::timestamptz end as expires_to,
    case when t.grant_key is not null then (t.metadata ->> 'priority_from')::integer end as priority_from,
    case when t.grant_key is not null then (t.metadata ->> 'priority_to')::integer end as priority_to
from wanted w
cross join lateral (
    select x.* from credit_transactions x
    where x.user_id = w.account_id and x.grant_key is null
        and (coalesce(x.created_at, '-infinity'), x.id) > (w.after_time, w.after_id)
    union all
    select x.* from credit_transactions x
    where x.user_id = w.account_id and x.grant_key is not null
        and (coalesce(x.created_at, '-infinity'), x.id) > (w.after_time, w.after_id)) t
order by w.account_id, coalesce(t.created_at, '-infinity'), t.id
