-- Part of a statement: what each desired state comes to beside what is on record. It expects `desired` and ends with `decision`.
-- The account on record stands until it is renamed. A rule that excludes a user removes no account. An account of another user is
-- never used, held or closed. docs/architecture.md has the decision as a table.
-- `offset 0` keeps the planner from putting each expression wherever its name stands, which is many times.

-- matched: each desired state, the record of its user, the account and how the user stands to the owner of that account.
matched as (
    select j.*, k.keycloak_id is not null as known, coalesce(k.checked_at <= j.read_at, true) as current,
        k.account_id as recorded_account, k.user_state as recorded_state, k.reason as recorded_reason,
        k.created_at as recorded_creation, k.checked_at as recorded_check,
        coalesce(k.account_id, j.named_account) as account_id, c.user_id is not null as present, c.status, c.status_reason,
        c.realm as owner_realm, c.keycloak_id as owner_id, coalesce(c.grant_pending, false) as grant_pending,
        case
            when c.user_id is null and j.leaves_unowned is true and k.account_id is null
                and (select t.user_id from credit_transactions t where t.user_id = j.named_account limit 1) is not null then 'other'
            when c.user_id is null or c.realm = j.realm and c.keycloak_id = j.keycloak_id then 'self'
            when c.keycloak_id is null and (j.leaves_unowned is not true or k.account_id = c.user_id) then 'none'
            when j.inherits is true and c.realm = j.realm and (
                select o.user_state = 'deleted' from keycloak_users o where o.realm = c.realm and o.keycloak_id = c.keycloak_id)
                then 'deleted'
            else 'other' end as owner,
        j.renames and c.user_id is not null and k.account_id <> j.named_account as collides
    from desired j
    left join keycloak_users k on k.realm = j.realm and k.keycloak_id = j.keycloak_id
    left join user_credits c on c.user_id = coalesce(k.account_id, j.named_account)
    offset 0
),
-- decided: the state in which the user goes on record, and the reason.
decided as (
    select s.*,
        case
            when s.desired_state in ('deleted', 'service_account') then s.desired_state
            when s.owner = 'other' then 'excluded'
            when s.desired_state = 'excluded' and s.present then s.state_if_present
            when s.collides then 'held'
            else s.desired_state end as user_state,
        case
            when s.desired_state in ('deleted', 'service_account') then null
            when s.owner = 'other' or s.collides then 'account_id_taken'
            when s.desired_state = 'excluded' and not s.present then s.exclusion_reason end as reason
    from matched s
    offset 0
),
-- decision: whether the account is opened, taken over, granted what waited for a verified address, or given another status, which the
-- bridge does only to a status of its own. The account of a service account is closed only where it was opened for that user.
decision as (
    select p.*, p.status_wanted in ('active', 'held') and p.current and not p.present as opens,
        p.status_wanted in ('active', 'held') and p.current and p.owner in ('none', 'deleted') as takes_over,
        p.status_wanted is not null and p.current and p.present and p.owner <> 'other' and (
            p.status_wanted <> 'closed' and (p.owner in ('none', 'deleted') or p.grant_pending and p.awaits_verification is not true
                and p.desired_state <> 'excluded')
            or (p.status <> p.status_wanted or p.status = 'held' and p.status_reason <> p.reason_wanted)
                and (p.status = 'active' or p.status_reason in {own_reasons})) as changes
    from (
        select d.*,
            case
                when d.user_state = 'account' then 'active'
                when d.user_state = 'held' then 'held'
                when d.user_state = 'deleted' or d.user_state = 'service_account' and d.owner = 'self' then 'closed' end as status_wanted,
            case d.user_state when 'held' then coalesce(d.reason, 'disabled') when 'deleted' then 'deleted'
                when 'service_account' then 'service_account' end as reason_wanted
        from decided d
        offset 0) p
)
