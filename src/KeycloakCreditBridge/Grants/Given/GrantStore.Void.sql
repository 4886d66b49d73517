-- Books a void of a grant in a locked account. The row stands there also where nothing was taken: it says that the grant is void.

-- account: the account with its balance afterwards.
with account as (
    update user_credits c
    set credits_remaining = c.credits_remaining - @Taken::numeric(20, 6),
        updated_at = credit_booking_time(@Now::timestamptz, c.updated_at),
        next_expiry = (
            select min(g.expires_at) from credit_grants g
            where g.user_id = c.user_id and g.closed_at is null and g.expires_at > @At::timestamptz and g.grant_key <> @Grant::text)
    where c.user_id = @Account::text
    returning c.user_id, c.credits_remaining, c.updated_at
),
-- closed: the grant, which gets a row where it had none.
closed as (
    insert into credit_grants as g (user_id, grant_key, amount, category, priority, granted_at, closed_at, close_reason)
    values (@Account, @Grant, @Amount::numeric, @Category::text, @Priority::smallint, @GrantedAt::timestamptz, @At, 'void')
    on conflict (user_id, grant_key) do update set closed_at = excluded.closed_at, close_reason = excluded.close_reason
    where g.closed_at is null
),
-- entry: the ledger row.
entry as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select user_id, -@Taken, credits_remaining, 'adjustment', jsonb_build_object(
            'reason', 'void', 'grant', @Grant, 'beyond', @Beyond::text, 'note', @Note::text, 'by', @By::text),
        updated_at, 'void:' || @Grant
    from account
),
-- audited: the audit row.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
    select @Now, user_id, 'credit.void', 'success', 'user_credits', user_id, jsonb_build_object(
            'grant', @Grant, 'amount', @Taken::text, 'beyond', @Beyond, 'note', @Note, 'by', @By), @Address::text
    from account
)
select credits_remaining from account
