-- Books out the grant of locked accounts whose ledger is this grant and usage alone: what is left of it is the balance, without a replay.
-- What else a ledger may hold decides which grant has what left; such accounts are not returned.
-- Rows with a grant key and rows without are found each by its index, the accounts by their places, where the lock keeps them.

-- simple: these accounts, with what is left of their grant and what they owe.
with simple as (
    select c.user_id, c.ctid as place, g.grant_key, g.amount, g.expires_at, greatest(c.credits_remaining, 0) as remainder,
        least(c.credits_remaining, 0) as balance, credit_booking_time(@Now::timestamptz, c.updated_at) as booked_at
    from unnest(@Accounts::text[], @Places::text[]) as a (account_id, place)
    join user_credits c on c.ctid = a.place::tid and c.user_id = a.account_id
    join credit_grants g on g.user_id = c.user_id and g.expires_at = c.next_expiry and g.closed_at is null
    where c.credits_remaining <= g.amount
        and not exists (select from credit_grants o where o.user_id = c.user_id and o.grant_key <> g.grant_key)
        and not exists (select from lot_checkpoints k where k.user_id = c.user_id)
        and (
            select bool_and(t.grant_key = g.grant_key and t.amount = g.amount and t.transaction_type not in ('refund', 'usage'))
            from credit_transactions t where t.user_id = c.user_id and t.grant_key is not null)
        and not exists (
            select from credit_transactions t
            where t.user_id = c.user_id and t.grant_key is null and (t.transaction_type <> 'usage' or t.amount >= 0))
),
-- entries: the ledger rows.
entries as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select user_id, -remainder, balance, 'adjustment', jsonb_build_object(
            'reason', 'expired', 'grant', grant_key, 'granted', amount::text, 'ended_at', expires_at),
        booked_at, 'expire:' || grant_key
    from simple
    where remainder > 0
),
-- audited: an audit row for each.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
    select @Now, user_id, 'credit.expired', 'success', 'user_credits', user_id, jsonb_build_object(
        'grant', grant_key, 'amount', remainder::numeric(20, 6)::text, 'granted', amount::text, 'ended_at', expires_at)
    from simple
    where remainder > 0
),
-- closed: the grants that ended, spent ones too.
closed as (
    update credit_grants g set closed_at = g.expires_at, close_reason = 'expired'
    from simple s
    where g.user_id = s.user_id and g.grant_key = s.grant_key
)
update user_credits c
set credits_remaining = s.balance, next_expiry = null, updated_at = case when s.remainder > 0 then s.booked_at else c.updated_at end
from simple s
where c.ctid = s.place
returning c.user_id as account_id, s.remainder
