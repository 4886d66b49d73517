-- One statement, so that account, ledger row, audit row, known user and completed hint stand or fall together. Every set that locks
-- rows is sorted: batches that lock the same rows in different orders deadlock. What makes it safe to repeat:
-- - an account is opened by ON CONFLICT, and its grant is written only for an account opened here; where another replica opened it or
--   recorded the user differently meanwhile, the statement ends by a serialization failure and is repeated;
-- - an address is claimed before its account is opened, and an account whose address another one claimed is granted nothing;
-- - an account whose address is not verified opens with nothing and `grant_pending`; the grant under the key `welcome` ends that;
-- - an account whose row was removed by hand while its ledger stayed is opened with what the ledger says, not granted again;
-- - an older reading of Keycloak (`current` is false) changes no account and no known user, and completes no hint;
-- - the bridge ends only a hold or a closing of its own;
-- - an account that opens again, or loses its balance, has nothing left that ended: it ends this statement until that is booked out.
-- What stands between the words lots and end is for batches whose grants get an end or priority, or whose accounts lose their balance.
-- It runs by one kept plan for one user and for thousands, so whatever it reads it finds by an index, row by row of `decision`; what it
-- inserted it takes from `returning`, and never joins it back.

-- desired: the batch, one row a user.
with desired as (
    select * from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[], @States::text[], @Reasons::text[],
            @StatesIfPresent::text[], @Renames::boolean[], @Inherits::boolean[], @LeavesUnowned::boolean[],
            @AwaitsVerification::boolean[], @LeavesRecords::boolean[], @Forfeits::boolean[], @ClaimKinds::text[], @ClaimHashes::bytea[],
            @BriefFingerprints::smallint[], @CreatedAts::timestamptz[], @Tiers::text[], @Amounts::numeric[],
            @Caps::numeric[], @Unlimited::boolean[], @PeriodEnds::timestamptz[], @ReadAts::timestamptz[], @Sources::text[],
            @HintVersions::bigint[])
        as j (realm, keycloak_id, named_account, desired_state, exclusion_reason, state_if_present, renames, inherits,
            leaves_unowned, awaits_verification, leaves_record, forfeits, claim_kind, claim_hash,
            brief_fingerprint, created_at, tier, amount, monthly_cap, unlimited, period_end, read_at, source,
            hint_version)
),
{decision},
-- opening: the accounts to open, one row each, with what a ledger of the same id says.
opening as (
    select distinct on (w.account_id collate "C") w.account_id, w.realm, w.keycloak_id, w.claim_kind, w.claim_hash, w.amount, w.tier,
        w.monthly_cap, w.unlimited, w.period_end, w.status_wanted, w.reason_wanted, w.source, w.leaves_unowned,
        coalesce(w.awaits_verification, false) as awaits_verification, coalesce(earlier.balance, 0) as balance,
        coalesce(earlier.granted, false) as granted, coalesce(earlier.waits and not earlier.welcomed, false) as waits
    from decision w
    left join lateral (
        select sum(t.amount) as balance, bool_or(t.grant_key = 'signup') as granted, bool_or(t.grant_key = 'welcome') is true as welcomed,
            bool_or(t.grant_key = 'signup' and t.metadata ->> 'reason' = 'address_not_verified') as waits
        from credit_transactions t where t.user_id = w.account_id) earlier on true
    where w.opens
    order by w.account_id collate "C", w.known desc, w.realm collate "C", w.keycloak_id collate "C"
),
{claimed}
-- opened: the accounts that were opened. One that another statement opened meanwhile ends this statement: its repetition decides on what is
-- there then.
opened as (
    insert into user_credits as c (user_id, credits_remaining, credits_allocated, tier, monthly_cap, unlimited, last_reset,
        created_at, updated_at, status, status_reason, source, realm, keycloak_id, grant_pending /* lots */, next_expiry /* end */)
    select o.account_id, o.balance + case when o.granted then 0 else o.granting end, o.granting, o.tier, o.monthly_cap, o.unlimited,
        o.period_end, @Now::timestamptz, @Now, o.status_wanted, o.reason_wanted, o.source, o.realm, o.keycloak_id,
        case when o.granted then o.waits else o.awaits_verification end
        /* lots */, case when not o.granted and o.granting > 0 then coalesce(@At::timestamptz, now()) + @EndsAfter::interval end /* end */
    from (
        select t.*, case when t.awaits_verification then 0 else {granted_amount} end as granting
        from opening t
        offset 0) o
    order by o.account_id collate "C"
    on conflict (user_id) do update set user_id = c.user_id
    where credit_overtaken()
    returning user_id, credits_remaining, credits_allocated, tier, last_reset, source, realm, keycloak_id, grant_pending
),
-- locked: the accounts to change, as they are once their lock is held. A grant that waited is that of the account's tier, which an
-- administrator may have switched, as it is configured.
locked as (
    select c.user_id as account_id, w.realm, w.keycloak_id, w.status_wanted, w.reason_wanted, w.source, w.owner = 'deleted' as inherited,
        (c.status <> w.status_wanted or c.status = 'held' and c.status_reason <> w.reason_wanted)
            and (c.status = 'active' or c.status_reason in {own_reasons}) as status_changes,
        c.grant_pending and w.awaits_verification is not true and w.status_wanted <> 'closed' and w.desired_state <> 'excluded' as welcomes,
        w.claim_kind, w.claim_hash, w.period_end, case when c.tier = w.tier then w.amount else coalesce((
            select e.credits from unnest(@TierNames::text[], @TierCredits::numeric[]) as e (tier, credits) where e.tier = c.tier),
            c.credits_allocated) end as amount,
        w.forfeits and w.status_wanted = 'closed' as forfeits,
        case when w.forfeits and w.status_wanted = 'closed' then greatest(c.credits_remaining, 0) else 0 end as forfeited,
        c.next_expiry <= coalesce(@At::timestamptz, now())
            and (w.forfeits and w.status_wanted = 'closed' or c.status = 'closed' and w.status_wanted <> 'closed') as books_first
    from decision w
    join user_credits c on c.user_id = w.account_id
    where w.changes
        and (c.keycloak_id is null or c.realm = w.realm and c.keycloak_id = w.keycloak_id
            or w.owner = 'deleted' and c.realm = w.owner_realm and c.keycloak_id = w.owner_id)
        and (w.takes_over
            or c.grant_pending and w.awaits_verification is not true and w.status_wanted <> 'closed' and w.desired_state <> 'excluded'
            or (c.status <> w.status_wanted or c.status = 'held' and c.status_reason <> w.reason_wanted)
            and (c.status = 'active' or c.status_reason in {own_reasons}))
    order by c.user_id collate "C"
    for update of c
),
-- changed: the accounts with their new status or owner, and with the grant that waited for a verified address. The first period begins
-- with the grant. `offset 0` keeps the question about `claimed` out of what PostgreSQL repeats on a row that was changed meanwhile.
changed as (
    update user_credits c
    set status = case when t.status_changes then t.status_wanted else c.status end,
        status_reason = case when t.status_changes then t.reason_wanted else c.status_reason end,
        realm = t.realm, keycloak_id = t.keycloak_id, credits_remaining = c.credits_remaining - t.forfeited + t.welcome,
        credits_allocated = case when t.welcome > 0 then t.welcome else c.credits_allocated end,
        last_reset = case when t.welcomes then t.period_end else c.last_reset end,
        grant_pending = c.grant_pending and not t.welcomes,
        /* lots */ next_expiry = case when t.closes_grants then null
            when t.welcome > 0 then least(c.next_expiry, coalesce(@At, now()) + @EndsAfter)
            else c.next_expiry end, /* end */
        updated_at = credit_booking_time(@Now, c.updated_at)
    from (
        select t.*, case
            when not t.welcomes or (
                select w.user_id from credit_transactions w where w.user_id = t.account_id and w.grant_key = 'welcome') is not null then 0
            else {granted_amount} end as welcome,
            t.forfeits and (t.status_changes or t.forfeited > 0) as closes_grants
        from locked t
        offset 0) t
    where c.user_id = t.account_id and (t.books_first is not true or credit_overtaken())
    returning c.user_id, c.realm, c.keycloak_id, c.status, c.status_reason, c.credits_remaining, c.tier, c.updated_at, t.source,
        t.status_changes, t.inherited, t.forfeited, t.closes_grants, t.welcomes, t.welcome, t.amount
),
/* lots */
-- stamped: what is decided for these grants.
stamped as (
    insert into credit_grants (user_id, grant_key, amount, priority, granted_at, expires_at)
    select g.user_id, g.grant_key, g.amount, @Priority::smallint, g.granted_at, coalesce(@At, now()) + @EndsAfter
    from (
        select user_id, 'signup' as grant_key, credits_allocated as amount, @Now::timestamptz as granted_at
        from opened
        where credits_allocated > 0 and user_id not in (select o.account_id from opening o where o.granted)
        union all
        select user_id, 'welcome', welcome, updated_at from changed where welcome > 0) g
    where @Stamps::boolean
    on conflict (user_id, grant_key) do nothing
),
-- closed: the grants of accounts that lose their balance with the closing, spent ones too: no refund renews them.
closed as (
    update credit_grants g set closed_at = c.updated_at, close_reason = 'account_closed'
    from changed c
    where c.closes_grants and g.user_id = c.user_id and g.closed_at is null
),
/* end */
-- booked: the ledger rows: of each opening grant, of each grant that waited for a verified address, and of each balance that is lost with
-- the closing. One of nothing says that the spent grants are closed.
booked as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select user_id, credits_allocated, credits_remaining, 'purchase',
        jsonb_build_object('tier', tier, 'reason', case
                when grant_pending then 'address_not_verified'
                when credits_allocated = 0 and user_id in (select o.account_id from opening o where o.amount > 0)
                    then 'address_granted_before'
                else 'initial_allocation' end,
            'source', source), @Now::timestamptz, 'signup'
    from opened
    union all
    select user_id, welcome, credits_remaining, 'purchase',
        jsonb_build_object('tier', tier, 'reason', case
                when welcome = 0 and amount > 0 then 'address_granted_before'
                else 'initial_allocation' end,
            'source', source), updated_at, 'welcome'
    from changed
    where welcomes
    union all
    select user_id, -forfeited, credits_remaining, 'adjustment',
        jsonb_build_object('reason', 'account_closed', 'closes', 'All', 'source', source),
        updated_at, 'forfeit:closed:' || to_char(updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
    from changed
    where closes_grants
    on conflict (user_id, grant_key) do nothing
),
-- audited: an audit row for each account opened or changed.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
    select @Now::timestamptz, user_id, 'credit.create', 'success', 'user_credits', user_id,
        jsonb_build_object('tier', tier, 'allocated', credits_allocated, 'last_reset', last_reset, 'source', source)
    from opened
    union all
    select @Now, user_id,
        case when inherited then 'credit.inherit' when status = 'active' then 'credit.reopen' when status = 'held' then 'credit.hold'
            else 'credit.close' end,
        'success', 'user_credits', user_id, jsonb_strip_nulls(jsonb_build_object(
            'source', source, 'reason', status_reason, 'forfeited', nullif(forfeited, 0)))
    from changed
    where status_changes or inherited
    union all
    select @Now, user_id, 'credit.welcome', 'success', 'user_credits', user_id, jsonb_build_object(
        'source', source, 'amount', welcome::numeric(20, 6)::text)
    from changed
    where welcomes
),
-- recorded: the users as known from now on; `lost` are those whose account another user of the batch opened, or another one took over
-- meanwhile. Where another statement recorded a user differently since this one began, one of the two decided on an old snapshot and left
-- its status beside the other's record: this one ends, and its repetition decides anew. In a new row, `previous_check` is the record that
-- the decision was made on.
recorded as (
    insert into keycloak_users as k (realm, keycloak_id, account_id, created_at, user_state, checked_at, reason, wanted_account_id,
        brief_fingerprint, previous_check)
    select w.realm, w.keycloak_id, case when not w.lost and w.user_state <> 'excluded' then w.account_id end, w.created_at,
        case when w.lost then 'excluded' else w.user_state end, w.read_at, case when w.lost then 'account_id_taken' else w.reason end,
        case when w.collides and w.reason = 'account_id_taken' then w.named_account end, w.brief_fingerprint, w.recorded_check
    from (
        select x.*, (x.opens or x.takes_over) and (x.realm, x.keycloak_id) not in (
                select o.realm, o.keycloak_id from opened o union all select c.realm, c.keycloak_id from changed c) as lost
        from decision x
        offset 0) w
    where w.known or w.user_state <> 'deleted' or w.leaves_record
    order by w.realm collate "C", w.keycloak_id collate "C"
    on conflict (realm, keycloak_id) do update set
        account_id = case when excluded.user_state = 'excluded' and excluded.reason = 'account_id_taken' then null
            else coalesce(k.account_id, excluded.account_id) end,
        created_at = coalesce(excluded.created_at, k.created_at), user_state = excluded.user_state, checked_at = excluded.checked_at,
        reason = excluded.reason, wanted_account_id = excluded.wanted_account_id, brief_fingerprint = excluded.brief_fingerprint
    where case
        when k.checked_at = excluded.previous_check then k.checked_at <= excluded.checked_at
        when k.user_state = excluded.user_state and k.reason is not distinct from excluded.reason
            and k.account_id is not distinct from coalesce(excluded.account_id, k.account_id) and excluded.previous_check is not null
            then k.checked_at <= excluded.checked_at
        else credit_overtaken() end
),
-- completed: the hints that this reading answers, dead ones too: what they could not do is done. A row that another claim locks for a
-- moment is waited for, since a hint that is skipped here waits until its lease ends.
completed as (
    delete from user_hints where ctid = any (array(
        select h.ctid from user_hints h
        join decision w on h.realm = w.realm and h.keycloak_id = w.keycloak_id and w.current
            and (h.version = w.hint_version or h.state = 'dead' and h.hinted_at <= w.read_at)
        order by h.realm, h.keycloak_id
        for update of h))
)
select user_id as account_id, tier, credits_remaining as balance, true as opened, null as status, false as welcomed, realm, keycloak_id
from opened
union all
select user_id, null, null, false, status, false, realm, keycloak_id from changed where status_changes
union all
select user_id, tier, credits_remaining, false, null, true, realm, keycloak_id from changed where welcomes
