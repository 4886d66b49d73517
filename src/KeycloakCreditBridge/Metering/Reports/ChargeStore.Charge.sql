-- Charges accounts that the transaction has locked, in order, as every writer does. Only records that were never charged before reach the
-- ledger, and the balance changes by the rows that were written.

-- wanted: the records of the report, each with its account and its price.
with wanted as (
    select w.* from unnest(@IdentityUsers::text[], @RecordIds::text[], @UserIds::text[], @OldIds::text[], @EndedAts::timestamptz[],
        @AccountIds::text[], @Charges::numeric[], @Models::text[], @Providers::text[], @Tokens::integer[], @Free::boolean[],
        @Metadata::text[]) with ordinality
        as w (identity_user, record_id, user_id, old_id, ended_at, account_id, charge, model, provider, tokens, is_free, metadata, position)
),
-- fresh: those that were never charged before, neither by an older release, which knew everything by its id alone. That release ended with
-- migration 16, so that later calls need no look-up. A call that ended after the old row was written is another one, whose provider uses
-- the id again. An object was charged if the ledger row that was written with the old row has its cost.
fresh as (
    insert into usage_records (user_id, record_id, charged_at)
    select identity_user, record_id, @Now::timestamptz from wanted w
    where case
        when identity_user = '' then not exists (
            select from usage_records o
            join credit_transactions t on t.user_id = w.account_id and coalesce(t.created_at, '-infinity') = o.charged_at
                and t.grant_key is null and t.metadata->>'record_id' = o.record_id and (t.metadata->>'response_cost')::numeric > 0
            where o.user_id = w.user_id and o.record_id in (w.old_id, w.record_id))
        when ended_at >= coalesce((select applied_at from schema_migrations where version = 16), 'infinity') then true
        else not exists (
            select from usage_records o
            where o.user_id = w.user_id and o.record_id = w.old_id and (w.ended_at is null or o.charged_at >= w.ended_at)) end
    order by identity_user collate "C", record_id collate "C"
    on conflict (user_id, record_id) do nothing
    returning user_id, record_id
),
-- summed: the fresh ones with the account's balance, the sum of its records up to this one, and the time that keeps their order.
summed as (
    select w.*, c.credits_remaining as balance, @Clamp::boolean and not c.unlimited as bounded,
        credit_booking_time(@Now, c.updated_at)
            + interval '1 microsecond' * (row_number() over (partition by w.account_id order by w.position) - 1) as booked_at,
        sum(w.charge) over (partition by w.account_id order by w.position) as total
    from wanted w
    join user_credits c on c.user_id = w.account_id
    where (w.identity_user, w.record_id) in (select user_id, record_id from fresh)
),
-- charged: what the account has paid with this record (`running`) and before it (`before`), within the balance where charges are bounded.
charged as (
    select s.*, case when s.bounded then least(s.total, greatest(s.balance, 0)) else s.total end as running,
        case when s.bounded then least(s.total - s.charge, greatest(s.balance, 0)) else s.total - s.charge end as before
    from summed s
),
-- entries: the ledger row of each record.
entries as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, provider, model, tokens_used, cost, metadata,
        created_at)
    select account_id, before - running, balance - running, 'usage', provider, model, tokens, running - before,
        case when is_free then metadata::jsonb || jsonb_build_object('is_free', true) else metadata::jsonb end, booked_at
    from charged
    order by position
),
-- updated: the accounts with their new balances.
updated as (
    update user_credits c set credits_remaining = c.credits_remaining - p.amount, updated_at = p.booked_at,
        first_spend_at = coalesce(c.first_spend_at, p.spent_at),
        exhausted_at = case when c.unlimited then c.exhausted_at else coalesce(c.exhausted_at, p.emptied_at) end
    from (
        select account_id, sum(running - before) as amount, max(booked_at) as booked_at,
            min(booked_at) filter (where running > before) as spent_at,
            min(booked_at) filter (where running > before and balance <= running) as emptied_at
        from charged
        group by account_id) p
    where c.user_id = p.account_id
)
select count(*) as records, coalesce(sum(running - before), 0) as credits from charged cross join (select {suppress_notify}) quiet
