-- Changes a balance, writes its ledger row and keeps the Idempotency-Key.
-- The conditions name `c`, the row as it is once its lock is held, and not `target`, which may be older by then: of fifty charges at once
-- each sees what the one before left. Another request under the same key that this statement does not see yet violates the primary key of
-- idempotency_keys: then all of it is undone, and the next attempt finds `earlier`. Concurrent refunds of one usage row add up in
-- usage_refunds, whose constraint undoes the one too many.
-- Nothing is booked while something in the account is due: the caller has it booked out first, and tries again.
-- What stands between the words refund and end is for a change that names a usage row: others need not open the tables.

-- earlier: the answer that was kept under this key, if there is one. The caller's metadata stand in the ledger row alone.
with earlier as (
    select k.body_hash, case when k.answer -> 'charged' is null or k.answer -> 'metadata' is not null then k.answer
        else k.answer || jsonb_build_object('metadata', coalesce(
            (select e.metadata from credit_transactions e where e.id = (k.answer ->> 'id')::uuid), '{}'::jsonb)) end as answer
    from idempotency_keys k where k.caller = @Caller::text and k.key = @Key::text
),
-- target: the account that the caller means.
target as ({selected_account}),
/* refund */
-- usage: the usage row that a refund names, with what may still be refunded of it.
usage as (
    select u.id, -u.amount as taken, -u.amount - coalesce(r.refunded, 0) as refundable
    from credit_transactions u
    left join usage_refunds r on r.transaction_id = u.id
    where u.id = @Refunds::uuid and u.transaction_type = 'usage' and u.user_id = (select t.user_id from target t)
),
/* end */
-- updated: the account with its new balance; no row where it is refused.
updated as (
    update user_credits c
    set credits_remaining = c.credits_remaining + @Amount::numeric(20, 6),
        updated_at = credit_booking_time(@Now::timestamptz, c.updated_at),
        first_spend_at = case when c.first_spend_at is null and {spends} then credit_booking_time(@Now, c.updated_at)
            else c.first_spend_at end,
        exhausted_at = case when c.exhausted_at is null and {spends} and c.credits_remaining + @Amount <= 0 and not c.unlimited
            then credit_booking_time(@Now, c.updated_at) else c.exhausted_at end,
        purchased_at = case when c.purchased_at is null and {is_paid} then credit_booking_time(@Now, c.updated_at)
            else c.purchased_at end
    from target t
    where c.user_id = t.user_id and not exists (select from earlier)
        and (c.status = 'active' or c.status = 'held' and @Amount >= 0 or @AnyStatus::boolean)
        and {is_free}
        and (@Amount >= 0 or c.unlimited or c.credits_remaining + @Amount >= 0 or @Overdraw::boolean)
        /* refund */ and @Amount <= (select u.refundable from usage u) /* end */
    returning c.*
),
/* refund */
-- refunded: what was refunded of the usage row so far.
refunded as (
    insert into usage_refunds as r (transaction_id, taken, refunded)
    select u.id, u.taken, @Amount from usage u cross join updated
    on conflict (transaction_id) do update set refunded = r.refunded + excluded.refunded
),
/* end */
-- entry: the ledger row.
entry as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, provider, model, tokens_used, cost, metadata,
        created_at)
    select user_id, @Amount, credits_remaining, @Type::text, @Service::text, @Model::text, @Tokens::integer, @Cost::numeric(20, 6),
        @Metadata::jsonb, updated_at
    from updated
    returning id, amount, balance_after, cost
),
-- audited: the audit row of a change that is audited.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
    select @Now, user_id, @Action::text, 'success', 'user_credits', user_id,
        @Metadata || jsonb_build_object('amount', @Amount::numeric(20, 6)::text, 'balance', credits_remaining::text), @Address::text
    from updated
    where @Action is not null
),
-- answered: the answer.
answered as (
    select case when @AnswersEntry::boolean
        then jsonb_build_object('id', e.id, 'user_id', c.user_id, 'service', @Service, 'model', @Model, 'tokens', @Tokens,
            'cost', e.cost::text, 'charged', (-e.amount)::text, 'is_free', @Metadata -> 'is_free', 'balance', e.balance_after::text,
            'metadata', @Metadata, 'created_at', to_char(c.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'))
        else {balance_json} end as answer
    from updated c cross join entry e
),
-- kept: the answer under its key, for a request that is sent again.
kept as (
    insert into idempotency_keys (caller, key, body_hash, answer, kept_at)
    select @Caller, @Key, @Hash::bytea, answer - 'metadata', @Now from answered where @Key is not null
)
select (select body_hash from earlier) as earlier_hash,
    coalesce((select answer from earlier), (select answer from answered))::text as answer,
    t.user_id as account_id, t.status, t.status_reason, t.credits_remaining as balance, coalesce(t.unlimited, false) as unlimited,
    coalesce(t.next_expiry <= coalesce(@At, now()), false) as is_due
    /* refund */, (select u.refundable from usage u) as refundable /* end */
from (select {suppress_notify}) as one
left join target t on true
