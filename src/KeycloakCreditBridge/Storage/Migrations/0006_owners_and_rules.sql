alter table user_credits
    -- Whose account it is. Null where nobody was seen yet who is to have it; the first one who is, has it for good.
    add column if not exists realm text collate "C",
    add column if not exists keycloak_id text collate "C";

alter table keycloak_users
    -- Why there is no account, or none that can be used.
    add column reason text,
    -- The id that a collision keeps from an account; two that want each other's change places.
    add column wanted_account_id text collate "C",
    -- Tells whether what a listing shows changed, for those who are left out; too short to tell an address.
    add column glimpse smallint;

-- Addresses that an opening grant was given for, as keyed hashes.
create table granted_emails (
    email_hash bytea primary key,
    account_id text collate "C" not null,
    granted_at timestamptz not null
);

create index granted_emails_account on granted_emails (account_id);

-- Owners of accounts are found when an address changes.
create index keycloak_users_wanted on keycloak_users (wanted_account_id) where wanted_account_id is not null;
