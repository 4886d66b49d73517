-- Which user owns each account.
-- An address is one mailbox in any case of letters. A claim by an unverified address counts for nothing beside a verified one.
-- A ledger without an account has an owner too: such installations wrote it whether or not the account was opened.
insert into adopting_members (account_id, grp, ownership, realm, keycloak_id, present)
-- account: every account, and every ledger without one.
with account as (
    select user_id, realm, keycloak_id, true as present from user_credits
    union all
    select distinct t.user_id, null, null, false from credit_transactions t
    where not exists (select from user_credits c where c.user_id = t.user_id)
),
-- match: the users that each could belong to, by id, by name, by address or on record.
match as (
    select c.user_id, p.realm, p.keycloak_id, true as proven from adopting_users p join account c on c.user_id = p.keycloak_id
    union all
    select c.user_id, p.realm, p.keycloak_id, p.name_proven from adopting_users p join account c on c.user_id = p.named
    union all
    select c.user_id, p.realm, p.keycloak_id, p.proven from adopting_users p
    join account c on lower(btrim(c.user_id) collate "default") = lower(btrim(p.address) collate "default")
    union all
    select c.user_id, p.realm, p.keycloak_id, true from adopting_users p
    join account c on c.realm = p.realm and c.keycloak_id = p.keycloak_id
),
-- claim: the same without accounts that have another owner already.
claim as (
    select m.user_id, m.realm, m.keycloak_id, bool_or(m.proven) as proven
    from match m
    join account c on c.user_id = m.user_id
    where c.keycloak_id is null or c.realm = m.realm and c.keycloak_id = m.keycloak_id
    group by m.user_id, m.realm, m.keycloak_id
),
-- claimed: how many verified claims each account has, and the user of a single one.
claimed as (
    select user_id, count(*) filter (where proven) as claims, min(realm) filter (where proven) as realm,
        min(keycloak_id) filter (where proven) as keycloak_id
    from claim
    group by user_id
)
select user_id, dense_rank() over (order by realm, keycloak_id, alone), ownership, realm, keycloak_id, present
from (
    select c.user_id, case when k.claims = 1 then k.realm end as realm, case when k.claims = 1 then k.keycloak_id end as keycloak_id,
        case when k.claims = 1 then null else c.user_id end as alone, c.present,
        case when k.claims is null then 'unowned' when k.claims = 0 then 'unproven'
            when k.claims = 1 then 'owned' else 'shared' end as ownership
    from account c
    left join claimed k on k.user_id = c.user_id
    where c.present or k.claims = 1) s
