-- Gives what is due to users that the same transaction converged. It is safe to repeat: the ledger's key makes each grant once, and the
-- balance moves by rows really written. Where another statement gave the same grant meanwhile, this one ends and is repeated.
-- The welcome is due only while the account has it withheld, or where this transaction opened the account: `xmin` tells its own rows.

-- asked: the grants, one row each.
with asked as (
    select * from unnest(@Realms::text[], @KeycloakIds::text[], @ReadAts::timestamptz[], @Sources::text[], @Keys::text[], @Policies::text[],
            @Versions::text[], @Amounts::numeric[], @Withheld::numeric[], @Rules::text[], @Exhausted::text[], @ToTiers::text[],
            @Caps::numeric[], @ToUnlimited::boolean[], @Due::boolean[], @Seconds::double precision[], @Evidence::text[],
            @ClaimKinds::text[], @ClaimHashes::bytea[], @NewAccounts::text[], @NewTiers::text[], @NewBalances::numeric[])
        as a (realm, keycloak_id, read_at, source, grant_key, policy, version, amount, withheld, rule, exhausted, to_tier, cap,
            to_unlimited, is_due, seconds, evidence, claim_kind, claim_hash, new_account, new_tier, new_balance)
),
{accounts},
-- payable: those that are due, were not given, and that no review holds back or refused.
payable as (
    select l.* from locked l
    where l.is_due and l.status = 'active' and l.disabled_at is null
        and case when l.grant_key = 'welcome' then l.opened_with is not null or l.withheld_credits is not null
            else l.opened_at >= l.activated_at end
        and (select t.user_id from credit_transactions t where t.user_id = l.user_id and t.grant_key = l.grant_key) is null
        and (select s.user_id from stopped_grants s where s.user_id = l.user_id and s.grant_key = l.grant_key) is null
    offset 0
),
-- claimed: what grants are given for once, each for one account.
claimed as (
    insert into grant_claims (kind, hash, policy, first_user, at)
    select distinct on (p.claim_kind, p.claim_hash, p.policy) p.claim_kind, p.claim_hash, p.policy, p.user_id, @Now
    from payable p
    where p.claim_hash is not null
    order by p.claim_kind, p.claim_hash, p.policy, p.user_id collate "C"
    on conflict (kind, hash, policy) do nothing
    returning kind, hash, policy, first_user
),
-- paid: what is really given, with the balance after each.
paid as (
    select p.*, p.balance + sum(p.amount) over earlier as balance_after,
        p.booked_at + interval '1 microsecond' * (row_number() over earlier - 1) as at
    from payable p
    where p.claim_hash is null
        or (p.claim_kind, p.claim_hash, p.policy, p.user_id) in (select c.kind, c.hash, c.policy, c.first_user from claimed c)
        or (select g.first_user from grant_claims g
            where g.kind = p.claim_kind and g.hash = p.claim_hash and g.policy = p.policy) = p.user_id
    window earlier as (partition by p.user_id order by p.grant_key collate "C" rows unbounded preceding)
),
-- booked: the ledger rows.
booked as (
    insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
    select p.user_id, p.amount, p.balance_after, case when p.grant_key = 'welcome' then 'purchase' else 'bonus' end,
        jsonb_strip_nulls(jsonb_build_object('tier', coalesce(p.to_tier, p.tier), 'reason',
            case when p.grant_key = 'welcome' then 'initial_allocation' else 'policy' end, 'policy', p.policy, 'version', p.version,
            'rule', p.rule, 'source', p.source)), p.at, p.grant_key
    from paid p
    order by p.user_id collate "C", p.grant_key collate "C"
    on conflict (user_id, grant_key) do nothing
    returning user_id
),
-- stamped: what decided, with each grant; the opening grant of a new account too.
stamped as (
    insert into credit_grants as g (user_id, grant_key, amount, category, priority, granted_at, expires_at, policy, policy_version, evidence)
    select s.user_id, s.grant_key, s.amount, 'promotional', 50, s.at, s.expires_at, s.policy, s.version, s.evidence::jsonb
    from (
        select p.user_id, p.grant_key, p.amount, p.at, p.expires_at, p.policy, p.version, p.evidence from paid p
        union all
        select l.user_id, 'signup', l.opened_with, l.booked_at, l.expires_at, l.policy, l.version, null
        from locked l
        where l.grant_key = 'welcome' and l.opened_with > 0) s
    order by s.user_id collate "C", s.grant_key collate "C"
    on conflict (user_id, grant_key) do update set policy = excluded.policy, policy_version = excluded.policy_version,
        expires_at = coalesce(excluded.expires_at, g.expires_at)
),
-- updated: the accounts with their new balances, and with what is withheld from now on.
updated as (
    update user_credits c
    set tier = coalesce(t.to_tier, c.tier), monthly_cap = case when t.to_tier is null then c.monthly_cap else t.cap end,
        unlimited = coalesce(t.to_unlimited, c.unlimited), credits_remaining = c.credits_remaining + t.given,
        credits_allocated = c.credits_allocated + t.welcome,
        withheld_credits = case when t.is_welcomed then null when t.opened_with is not null then t.withheld else c.withheld_credits end,
        withheld_before = case when t.is_welcomed then null else coalesce(t.opened_with, c.withheld_before) end,
        withheld_tier = case when t.is_welcomed then null when t.opened_with is not null then c.tier else c.withheld_tier end,
        next_expiry = least(c.next_expiry, t.next_expiry), updated_at = coalesce(t.last_at, c.updated_at)
    from (
        select s.user_id, coalesce(sum(s.amount), 0) as given, coalesce(sum(s.amount) filter (where s.grant_key = 'welcome'), 0) as welcome,
            coalesce(bool_or(s.grant_key = 'welcome'), false) as is_welcomed, max(s.at) as last_at, max(s.opened_with) as opened_with,
            max(s.withheld) as withheld, max(s.to_tier) as to_tier, max(s.cap) as cap, bool_or(s.to_unlimited) as to_unlimited,
            min(s.expires_at) as next_expiry
        from (
            select p.user_id, p.grant_key, p.amount, p.at, p.to_tier, p.cap, p.to_unlimited, p.expires_at, null::numeric as opened_with,
                null::numeric as withheld
            from paid p
            union all
            select l.user_id, null, null, null, null, null, null, case when l.opened_with > 0 then l.expires_at end,
                case when l.withheld > 0 then l.opened_with end, l.withheld
            from locked l
            where l.grant_key = 'welcome' and l.opened_with is not null
                and (l.withheld > 0 or l.opened_with > 0 and l.expires_at is not null)) s
        group by s.user_id) t
    where c.user_id = t.user_id
),
-- audited: an audit row for each grant.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
    select @Now, p.user_id, case when p.grant_key = 'welcome' then 'credit.welcome' else 'credit.grant' end, 'success', 'user_credits',
        p.user_id, jsonb_strip_nulls(jsonb_build_object('source', p.source, 'grant', p.grant_key,
            'amount', p.amount::numeric(20, 6)::text, 'policy', p.policy, 'version', p.version, 'rule', p.rule,
            'budget_exhausted', p.exhausted, 'tier', p.to_tier))
    from paid p
    union all
    select @Now, p.user_id, 'credit.claim_taken', 'failure', 'user_credits', p.user_id, jsonb_build_object('source', p.source,
        'grant', p.grant_key, 'policy', p.policy, 'kind', p.claim_kind, 'taken_by', (
            select g.first_user from grant_claims g
            where g.kind = p.claim_kind and g.hash = p.claim_hash and g.policy = p.policy
            union all
            select c.first_user from claimed c where c.kind = p.claim_kind and c.hash = p.claim_hash and c.policy = p.policy
            limit 1))
    from payable p
    where p.claim_hash is not null and (p.user_id, p.grant_key) not in (select g.user_id, g.grant_key from paid g)
)
select p.realm, p.keycloak_id, p.user_id as account_id, p.grant_key as key, p.policy, p.amount as credits,
    coalesce(p.to_tier, p.tier) as tier, p.balance_after as balance, p.exhausted, p.rule
from paid p
where (select count(*) from booked) = (select count(*) from paid) or credit_overtaken()
order by p.user_id collate "C", p.grant_key collate "C"
