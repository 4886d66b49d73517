-- Which users are on record otherwise than they should be, or not at all. It writes nothing.
-- The status counts too: two readings that converge at the same moment can leave the older one's status beside the newer one's record.
-- So does the creation time, by which users are counted; that of a federated user without import is made up anew each time.

-- desired: the batch, one row a user.
with desired as (
    select * from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[], @States::text[], @Reasons::text[],
            @StatesIfPresent::text[], @Renames::boolean[], @Inherits::boolean[], @LeavesUnowned::boolean[],
            @AwaitsVerification::boolean[], @CreatedAts::timestamptz[], @ReadAts::timestamptz[],
            @FollowsTier::boolean[], @MappedTiers::text[], @MeetsGate::boolean[], @DoneTasks::text[])
        as j (realm, keycloak_id, named_account, desired_state, exclusion_reason, state_if_present, renames, inherits,
            leaves_unowned, awaits_verification, created_at, read_at, follows_tier, mapped_tier, meets_gate, done_task)
),
{decision}
select w.keycloak_id, w.user_state in ('account', 'held') and not w.present as missing,
    w.user_state = 'excluded' and w.reason = 'account_id_taken' and w.recorded_reason is distinct from w.reason as left_out
from decision w
where w.recorded_state is distinct from w.user_state or w.recorded_reason is distinct from w.reason or w.opens or w.changes
    or w.created_at <> coalesce(w.recorded_creation, '-infinity') and w.keycloak_id not like 'f:%'
    or w.collides and (select t.user_id from user_credits t where t.user_id = w.named_account) is null
        and (select t.user_id from credit_transactions t where t.user_id = w.named_account limit 1) is null
    or w.meets_gate is true and w.status = 'active' and w.owner = 'self'
        and (select c.withheld_credits from user_credits c where c.user_id = w.account_id) is not null
        and (select s.user_id from stopped_grants s where s.user_id = w.account_id and s.grant_key = 'welcome') is null
    or w.done_task is not null and w.status = 'active' and w.owner = 'self' and (
        select p.activated_at from grant_policies p where p.realm = w.realm and p.policy = w.done_task and p.disabled_at is null)
            <= (select c.created_at from user_credits c where c.user_id = w.account_id)
        and (select t.user_id from credit_transactions t where t.user_id = w.account_id and t.grant_key = w.done_task) is null
        and (select s.user_id from stopped_grants s where s.user_id = w.account_id and s.grant_key = w.done_task) is null
    or w.status = 'active' and w.owner = 'self'
        and w.account_id in (
            select r.user_id from code_redemptions r
            where r.state = 'held' and (
                select s.user_id from stopped_grants s where s.user_id = r.user_id and s.grant_key = 'code:' || r.code_id) is null)
    or w.follows_tier is true and w.status is distinct from 'closed'
        and (select k.tier from keycloak_users k where k.realm = w.realm and k.keycloak_id = w.keycloak_id)
            is distinct from case when w.user_state in ('account', 'held') then w.mapped_tier end
