-- Users that a partial import put in the place of others of the same names, until a complete run has closed the accounts of those.
create table overwritten_users (
    realm text collate "C" not null,
    keycloak_id text collate "C" not null,
    overwritten_at timestamptz not null,
    primary key (realm, keycloak_id)
);
