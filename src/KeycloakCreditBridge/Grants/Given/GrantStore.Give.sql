-- Gives grants to locked accounts, each once for its key. Nothing is written twice: every writer of a key holds the account's lock.

-- fresh: the grants whose keys are new, in the order in which they are booked.
with fresh as (
    select w.*, c.credits_remaining + sum(w.amount) over own as balance,
        credit_booking_time(@Now::timestamptz, c.updated_at) + (row_number() over own - 1) * interval '1 microsecond' as booked_at
    from unnest(@Accounts::text[], @Keys::text[], @Amounts::numeric[], @Types::text[], @Metadata::text[], @Categories::text[],
            @Priorities::smallint[], @Ends::timestamptz[], @Policies::text[], @Versions::text[], @Evidence::text[]) with ordinality
        as w (user_id, grant_key, amount, type, metadata, category, priority, expires_at, policy, policy_version, evidence, position)
    join user_credits c on c.user_id = w.user_id
    where not exists (select from credit_transactions t where t.user_id = w.user_id and t.grant_key = w.grant_key)
    window own as (partition by w.user_id order by w.position)
),
-- entries: the ledger rows.
entries as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select user_id, amount, balance, type, metadata::jsonb, booked_at, grant_key
    from fresh
    order by user_id collate "C", position
),
-- stamped: what was decided.
stamped as (
    insert into credit_grants (user_id, grant_key, amount, category, priority, granted_at, expires_at, policy, policy_version, evidence)
    select user_id, grant_key, amount, category, priority, booked_at, expires_at, policy, policy_version, evidence::jsonb
    from fresh
),
-- audited: an audit row for each.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
    select @Now, user_id, 'credit.grant', 'success', 'user_credits', user_id, jsonb_strip_nulls(jsonb_build_object(
        'grant', grant_key, 'amount', amount::numeric(20, 6)::text, 'policy', policy, 'expires_at', expires_at))
    from fresh
),
-- updated: the accounts with their new balances.
updated as (
    update user_credits c
    set credits_remaining = c.credits_remaining + s.amount, updated_at = s.booked_at, next_expiry = least(c.next_expiry, s.next_expiry)
    from (
        select user_id, sum(amount) as amount, max(booked_at) as booked_at, min(expires_at) as next_expiry from fresh group by user_id) s
    where c.user_id = s.user_id
)
select user_id as account_id, grant_key, amount from fresh
