-- Part of a statement: switches each account of `target` (user_id, to_tier, credits, cap, to_unlimited, switched_by, trigger_source,
-- client_address), save closed ones, with ledger and audit row. It ends with `switched` and its rows.

-- held: the accounts once their locks are held, so that a charge at the same moment is not lost and what is taken is still there.
held as (
    select t.*, c.tier as earlier, c.credits_remaining as balance, c.credits_allocated as allocated, c.unlimited as was_unlimited, c.grant_pending,
        least(greatest(extract(epoch from c.last_reset - @Now::timestamptz) / @Elapsing::double precision, 0), 1)::numeric as rest
    from target t
    join user_credits c on c.user_id = t.user_id
    where c.status <> 'closed'
    order by c.user_id collate "C"
    for no key update of c
),
-- priced: what the switch adds or takes, nothing while the opening grant waits for a verified address. @Elapsing is the length of a
-- period where the rest of it counts, null where nothing is pro-rated.
priced as (
    select h.*, case when h.was_unlimited or h.to_unlimited or h.grant_pending then 0 else coalesce(greatest(
        trunc((h.credits - coalesce(e.amount, h.allocated)) * h.rest, 6), -greatest(h.balance, 0)), 0) end as pro_rated
    from held h
    left join unnest(@Tiers::text[], @Amounts::numeric[]) as e (tier, amount) on e.tier = h.earlier
),
-- switched: the accounts as they are then.
switched as (
    update user_credits c
    set tier = p.to_tier, credits_allocated = p.credits, monthly_cap = p.cap, unlimited = p.to_unlimited,
        credits_remaining = c.credits_remaining + p.pro_rated, updated_at = @Now
    from priced p
    where c.user_id = p.user_id
    returning c.*, p.earlier, p.pro_rated, p.switched_by, p.trigger_source, p.client_address
),
-- entry: the ledger row of what was added or taken.
entry as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
    select user_id, pro_rated, credits_remaining, 'adjustment',
        jsonb_build_object('reason', 'tier_switch', 'from', earlier, 'to', tier, 'by', switched_by), @Now
    from switched
    where pro_rated <> 0
),
-- audited: the audit rows.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
    select @Now, user_id, 'tier.switch', 'success', 'user_credits', user_id, jsonb_strip_nulls(jsonb_build_object(
            'from', earlier, 'to', tier, 'by', switched_by, 'source', trigger_source,
            'pro_rated', nullif(pro_rated, 0)::numeric(20, 6)::text)),
        client_address
    from switched
)
