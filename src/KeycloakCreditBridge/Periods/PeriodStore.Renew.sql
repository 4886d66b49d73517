-- Brings accounts whose period ended into the current period.
-- Accounts are locked in the order of every writer, and `due` has them as they are then: a concurrent charge is waited for, and an
-- account that another run renewed is no longer due. An account renamed meanwhile is left to the next run. The grant key of the period
-- makes it once: the balance changes by the rows really written, and credits are forfeited only where the period's row was written.
-- While a policy withholds the welcome of the account's tier, a period pays no more of it than the account opened with.
-- The date advances in any case, so that an existing key is not tried for ever.
-- The transaction holds the locks of the accounts that are due. `@LotAccounts` are those whose balance does not say what they may lose.
-- What stands between the words lots and end is for accounts whose grants have ends or priorities.
-- `in` stands in expressions and not in conditions, so that it is a hash look-up whatever the planner estimates.

with {account_range},
-- due: the accounts whose period ended, locked. The first period of an account begins with its opening grant.
due as (
    select c.user_id, c.tier, c.credits_remaining as balance, c.credits_allocated as allocated, c.unlimited, {period_end} as ended,
        c.withheld_tier, c.withheld_before,
        credit_booking_time(@Now, c.updated_at) as booked_at
    from unnest(@Locked::text[]) as w (user_id)
    join user_credits c on c.user_id = w.user_id
    where c.status = 'active' and not c.grant_pending and {period_end} <= @Now
    order by c.user_id collate "C"
    for no key update of c
),
-- terms: what each of them gets and loses.
terms as ({tier_terms}),
-- granted: the ledger rows of the new period.
granted as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select user_id, amount, balance - excess + amount, 'bonus', grant_metadata,
        booked_at + interval '1 microsecond', 'reset:' || period
    from terms
    where not unlimited
    on conflict (user_id, grant_key) do nothing
    returning user_id
),
-- decided: the terms, each with whether its ledger row was written.
decided as (select t.*, t.user_id in (select g.user_id from granted g) as is_granted from terms t offset 0),
/* lots */
-- closed: the grants whose credits are lost, spent ones too.
closed as (
    update credit_grants g
    set closed_at = d.booked_at, close_reason = 'period_ended'
    from decided d
    where d.is_granted and not @Rollover and g.user_id = d.user_id and g.closed_at is null
        and (g.category <> 'paid' or @Lost = 'All')
),
-- stamped: what is decided for the grants of the new period.
stamped as (
    insert into credit_grants (user_id, grant_key, amount, priority, granted_at, expires_at)
    select user_id, 'reset:' || period, amount, @Priority::smallint, booked_at + interval '1 microsecond',
        coalesce(@At::timestamptz, now()) + @EndsAfter::interval
    from decided
    where is_granted and amount > 0 and @Stamps::boolean
    on conflict (user_id, grant_key) do nothing
),
/* end */
-- forfeited: the ledger rows of what is left and lost.
forfeited as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select user_id, -excess, balance - excess, 'adjustment', forfeit_metadata, booked_at, 'forfeit:' || period
    from decided
    where is_granted and excess > 0
    on conflict (user_id, grant_key) do nothing
    returning user_id
),
-- updated: the accounts with their new balances and periods.
updated as (
    update user_credits c
    set credits_remaining = c.credits_remaining + m.added - m.taken, last_reset = m.ends,
        updated_at = m.booked_at + interval '1 microsecond',
        /* lots */ next_expiry = case when not m.is_granted then c.next_expiry
            when @Rollover then least(c.next_expiry, coalesce(@At, now()) + @EndsAfter)
            else least(coalesce(@At, now()) + @EndsAfter, (
                select min(g.expires_at) from credit_grants g
                where g.user_id = c.user_id and g.closed_at is null and g.category = 'paid' and @Lost <> 'All')) end, /* end */
        credits_allocated = case when m.is_granted then m.amount else c.credits_allocated end
    from (
        select s.*, case when s.is_granted then s.amount else 0 end as added,
            case when s.user_id in (select f.user_id from forfeited f) then s.excess else 0 end as taken
        from decided s
        offset 0) m
    where c.user_id = m.user_id
    returning m.is_granted, m.added, m.taken
),
-- summed: the totals of this range.
summed as (
    select count(*) as renewed, count(*) filter (where is_granted) as granted, coalesce(sum(added), 0) as credits,
        coalesce(sum(taken), 0) as forfeited
    from updated
),
-- audited: one audit row for the range.
audited as (
    insert into audit_logs (timestamp, action, result, resource_type, metadata)
    select @Now, 'credit.reset', 'success', 'user_credits', jsonb_build_object(
        'accounts', renewed, 'granted', granted, 'credits', credits, 'forfeited', forfeited,
        'after', @After, 'until', (select last from bounds))
    from summed
    where renewed > 0
)
select (select last from bounds) as last, (select walked from bounds) as walked, renewed, granted, credits, forfeited from summed
