-- Part of a statement: the accounts of users on record. It expects `asked` and ends with `locked`.

-- found: the grants of users on record, with their accounts and policies. An older reading gives nothing. The fences (offset 0) keep each
-- look-up one by the whole key: without statistics, as in a new installation, a whole realm would be searched for each user.
found as materialized (
    select a.*, k.account_id, p.activated_at, p.disabled_at
    from asked a
    cross join lateral (
        select u.account_id from keycloak_users u
        where u.realm = a.realm and u.keycloak_id = a.keycloak_id and u.checked_at <= a.read_at and u.user_state in ('account', 'held')
        offset 0) k
    cross join lateral (
        select g.activated_at, g.disabled_at from grant_policies g where g.realm = a.realm and g.policy = a.policy offset 0) p
    order by k.account_id collate "C"
),
-- locked: the same with the accounts as they are once their locks are held, in the order of all writers.
locked as (
    select f.*, c.user_id, c.status, c.tier, c.credits_remaining as balance, c.withheld_credits,
        credit_booking_time(@Now::timestamptz, c.updated_at) as booked_at, c.created_at as opened_at,
        (select t.amount from credit_transactions t
            where t.user_id = c.user_id and t.grant_key = 'signup' and t.xmin = pg_current_xact_id()::xid) as opened_with,
        coalesce(@EndsFrom::timestamptz, now()) + make_interval(secs => f.seconds) as expires_at
    from found f
    cross join lateral (
        select * from user_credits u where u.user_id = f.account_id and u.realm = f.realm and u.keycloak_id = f.keycloak_id
        for no key update) c
)
