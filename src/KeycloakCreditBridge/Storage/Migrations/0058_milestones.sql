-- When an account passed each milestone for the first time; null until then. They stand on the account, in the row that each change locks
-- and writes anyway, so that none costs a statement of its own.
alter table user_credits
    add column granted_at timestamptz,
    add column first_read_at timestamptz,
    add column first_spend_at timestamptz,
    add column exhausted_at timestamptz,
    add column purchased_at timestamptz;

-- One row an account: what the bridge knows of its way from registration to the first purchase.
create view account_milestones as
select c.user_id, c.realm, c.keycloak_id, coalesce(k.created_at, c.created_at) as registered_at, c.created_at as provisioned_at,
    c.granted_at, c.first_read_at, c.first_spend_at, c.exhausted_at, c.purchased_at,
    case when c.source is null then 'adoption' else c.source end as way
from user_credits c
left join keycloak_users k on k.realm = c.realm and k.keycloak_id = c.keycloak_id;
