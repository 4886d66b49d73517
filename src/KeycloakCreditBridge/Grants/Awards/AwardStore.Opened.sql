-- Part of a statement: the accounts that this transaction opened, which no other one sees yet. It expects `asked` and ends with `locked`.

-- found: the grants with their policies.
found as materialized (
    select a.*, p.activated_at, p.disabled_at
    from asked a
    cross join lateral (
        select g.activated_at, g.disabled_at from grant_policies g where g.realm = a.realm and g.policy = a.policy offset 0) p
    order by a.new_account collate "C"
),
-- locked: the same with the accounts as they were opened. One whose ledger is older was not granted its opening now.
locked as (
    select f.*, f.new_account as user_id, 'active' as status, f.new_tier as tier, f.new_balance as balance,
        null::numeric as withheld_credits, credit_booking_time(@Now::timestamptz, @Now) as booked_at, @Now as opened_at,
        (select t.amount from credit_transactions t
            where t.user_id = f.new_account and t.grant_key = 'signup' and t.xmin = pg_current_xact_id()::xid) as opened_with,
        coalesce(@EndsFrom::timestamptz, now()) + make_interval(secs => f.seconds) as expires_at
    from found f
)
