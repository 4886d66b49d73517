-- Changes the end and the priority of a grant in a locked account. A ledger row of nothing keeps the order of what was spent before and
-- after.

-- account: the account with its next end.
with account as (
    update user_credits c
    set updated_at = credit_booking_time(@Now::timestamptz, c.updated_at),
        next_expiry = least(@ExpiresTo::timestamptz, (
            select min(g.expires_at) from credit_grants g
            where g.user_id = c.user_id and g.closed_at is null and g.grant_key <> @Grant::text))
    where c.user_id = @Account::text
    returning c.user_id, c.credits_remaining, c.updated_at
),
-- changed: the grant, which gets a row where it had none.
changed as (
    insert into credit_grants as g (user_id, grant_key, amount, category, priority, granted_at, expires_at)
    values (@Account, @Grant, @Amount::numeric, @Category::text, @PriorityTo::integer, @GrantedAt::timestamptz, @ExpiresTo)
    on conflict (user_id, grant_key) do update
    set priority = excluded.priority, expires_at = excluded.expires_at, noticed_days = null
),
-- entry: the ledger row.
entry as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select user_id, 0, credits_remaining, 'adjustment', jsonb_build_object(
            'reason', 'grant_extended', 'grant', @Grant, 'expires_from', @ExpiresFrom::timestamptz, 'expires_to', @ExpiresTo,
            'priority_from', @PriorityFrom::integer, 'priority_to', @PriorityTo, 'by', @By::text),
        updated_at, 'extend:' || @Grant || '#' || (
            select count(*) + 1 from credit_transactions t
            where t.user_id = @Account and t.grant_key is not null and starts_with(t.grant_key, 'extend:' || @Grant || '#'))
    from account
)
insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
select @Now, user_id, 'credit.extend', 'success', 'user_credits', user_id, jsonb_build_object(
        'grant', @Grant, 'expires_from', @ExpiresFrom, 'expires_to', @ExpiresTo, 'priority', @PriorityTo, 'by', @By), @Address::text
from account
