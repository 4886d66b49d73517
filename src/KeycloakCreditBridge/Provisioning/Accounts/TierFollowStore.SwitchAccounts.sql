-- Part of a statement: switches each account of `target` (user_id, to_tier, credits, cap, to_unlimited, switched_by, trigger_source,
-- client_address), except closed ones, with ledger and audit row. It ends with `switched` and its rows.
-- Within a period the steps add up: what a step down could not take (`debt`) is deducted from later steps up, an unlimited tier in between
-- changes nothing, and a period that began in an unlimited tier is not pro-rated. Rounding is never in the user's favour.
-- An account in which something is due is left out: that is booked out first.
-- While a policy withholds a part of the welcome, a switch neither adds nor takes that part: between what the account opened with and the
-- whole welcome a tier is worth the former, and above it less by what is withheld.
-- Nothing is added or taken while the opening grant waits for a verified address.
-- @ProRatedSeconds is the length of a period, or null where nothing is pro-rated.

-- held: the accounts once their locks are held, so that no concurrent charge is lost and what is taken is still there.
held as (
    select t.*, c.tier as earlier, c.credits_remaining as balance, c.credits_allocated as allocated, c.unlimited as was_unlimited,
        c.grant_pending, c.withheld_credits as withheld, c.withheld_before as opened_with, c.withheld_tier,
        credit_booking_time(@Now::timestamptz, c.updated_at) as booked_at,
        case when @ProRatedSeconds::double precision is not null
            then credit_period_end(c.last_reset, c.created_at, @ProRatedSeconds) end as ends,
        c.pro_rated_until, c.pro_rated_credits, c.pro_rated_debt
    from target t
    join user_credits c on c.user_id = t.user_id
    where c.status <> 'closed' and {is_free}
    order by c.user_id collate "C"
    for no key update of c
),
-- rated: the rest of the period, and what earlier steps of the same period came to: the credits that are paid for, and the debt.
rated as (
    select h.*, least(greatest(extract(epoch from h.ends - h.booked_at) / @ProRatedSeconds, 0), 1)::numeric as rest,
        case when h.pro_rated_until = h.ends then h.pro_rated_credits
            when h.withheld_tier = h.earlier then h.opened_with + h.withheld
            when not h.was_unlimited then coalesce(e.amount, h.allocated) end as paid,
        case when h.withheld_tier = h.to_tier then h.opened_with + h.withheld else h.credits end as worth,
        case when h.pro_rated_until = h.ends then h.pro_rated_debt else 0 end as debt,
        not h.to_unlimited and not h.grant_pending and h.earlier <> h.to_tier as steps
    from held h
    left join unnest(@Tiers::text[], @Amounts::numeric[]) as e (tier, amount) on e.tier = h.earlier
),
-- due_difference: the difference of the two tiers for the rest of the period.
due_difference as (
    select r.*, case when r.steps then coalesce(floor((
            greatest(least(r.worth, r.opened_with), r.worth - coalesce(r.withheld, 0))
            - greatest(least(r.paid, r.opened_with), r.paid - coalesce(r.withheld, 0))) * r.rest * 1000000) / 1000000, 0) else 0 end
            as difference
    from rated r
),
-- priced: what the switch really adds or takes, and the debt that an unlimited tier leaves behind, which no later grant shall pay.
priced as (
    select d.*, case when d.was_unlimited and not d.to_unlimited then greatest(-d.balance, 0) else 0 end as forgiven,
        case when d.difference > 0 then greatest(d.difference - d.debt, 0)
        else greatest(d.difference, -greatest(d.balance, 0)) end as pro_rated
    from due_difference d
),
-- switched: the accounts as they are then.
switched as (
    update user_credits c
    set tier = p.to_tier, credits_allocated = p.credits, monthly_cap = p.cap, unlimited = p.to_unlimited,
        credits_remaining = c.credits_remaining + p.forgiven + p.pro_rated,
        updated_at = p.booked_at + case when p.forgiven > 0 then interval '1 microsecond' else interval '0' end,
        pro_rated_until = coalesce(p.ends, c.pro_rated_until),
        pro_rated_credits = case when p.ends is null then c.pro_rated_credits
            when p.steps and p.paid is not null then p.worth else p.paid end,
        pro_rated_debt = case when p.ends is null then c.pro_rated_debt else p.debt + p.pro_rated - p.difference end
    from priced p
    where c.user_id = p.user_id
    returning c.*, p.earlier, p.pro_rated, p.forgiven, p.booked_at, p.switched_by, p.trigger_source, p.client_address
),
-- entry: the ledger rows of what was added or taken, and of a debt that is forgiven.
entry as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
    select user_id, pro_rated, credits_remaining, 'adjustment',
        jsonb_build_object('reason', 'tier_switch', 'from', earlier, 'to', tier, 'by', switched_by), updated_at
    from switched
    where pro_rated <> 0
    union all
    select user_id, forgiven, credits_remaining - pro_rated, 'adjustment',
        jsonb_build_object('reason', 'unlimited_tier_ended', 'from', earlier, 'to', tier), booked_at
    from switched
    where forgiven > 0
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
