-- Holds grants back, in the transaction that converged their users. It is safe to repeat: of one grant one hold is open, and none is opened
-- of a grant that was given or refused. What is refused at once is decided when it is opened, so that its user can appeal.

-- asked: the grants, one row each, with their accounts.
with asked as (
    select a.*, c.user_id
    from unnest(@Realms::text[], @KeycloakIds::text[], @Keys::text[], @Policies::text[], @Versions::text[], @Credits::numeric[],
            @Terms::text[], @Claims::text[], @Scores::smallint[], @Signals::text[], @States::text[], @LapseAfters::interval[],
            @LapseApproves::boolean[])
        as a (realm, keycloak_id, grant_key, policy, version, credits, terms, claims, score, signals, state, lapse_after, lapse_approves)
    cross join lateral (
        select u.account_id from keycloak_users u where u.realm = a.realm and u.keycloak_id = a.keycloak_id offset 0) k
    cross join lateral (
        select o.user_id, o.status, o.withheld_credits from user_credits o
        where o.user_id = k.account_id and o.realm = a.realm and o.keycloak_id = a.keycloak_id offset 0) c
    where c.status <> 'closed' and (a.grant_key <> 'welcome' or c.withheld_credits is not null)
        and (select t.user_id from credit_transactions t where t.user_id = c.user_id and t.grant_key = a.grant_key) is null
        and (select r.user_id from refused_grants r where r.user_id = c.user_id and r.grant_key = a.grant_key) is null
),
-- opened: the holds.
opened as (
    insert into grant_holds (user_id, grant_key, policy, policy_version, credits, terms, claims, score, signals, state, held_at,
        lapse_after, lapses_at, lapse_approves, decided_by, decided_at)
    select a.user_id, a.grant_key, a.policy, a.version, a.credits, a.terms::jsonb, a.claims::jsonb, a.score, a.signals::jsonb, a.state,
        @Now::timestamptz, a.lapse_after, @Now + a.lapse_after, a.lapse_approves,
        case when a.state <> 'held' then 'score' end, case when a.state <> 'held' then @Now end
    from asked a
    where (select h.id from grant_holds h where h.user_id = a.user_id and h.grant_key = a.grant_key and h.state = 'held') is null
    order by a.user_id collate "C", a.grant_key collate "C"
    on conflict (user_id, grant_key) where state = 'held' do nothing
    returning id, user_id, grant_key, policy, credits, score, signals, state
),
-- refused: the keys that are used up.
refused as (
    insert into refused_grants (user_id, grant_key, hold_id, refused_at)
    select o.user_id, o.grant_key, o.id, @Now from opened o where o.state <> 'held'
    on conflict (user_id, grant_key) do nothing
),
-- audited: an audit row for each.
audited as (
    insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
    select @Now, o.user_id, case o.state when 'held' then 'credit.hold' else 'credit.refuse' end, 'success', 'user_credits', o.user_id,
        jsonb_build_object('hold', o.id, 'grant', o.grant_key, 'policy', o.policy, 'amount', o.credits::numeric(20, 6)::text,
            'score', o.score, 'signals', o.signals)
    from opened o
)
select o.id, o.user_id as account_id, o.grant_key, o.policy, o.state, o.signals::text as signals from opened o
