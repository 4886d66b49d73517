-- Every Keycloak user that was ever judged.
create table keycloak_users (
    realm text collate "C" not null,
    keycloak_id text collate "C" not null,
    account_id text collate "C",
    -- As Keycloak says; null for imports without one.
    created_at timestamptz,
    disposition text not null,
    -- When Keycloak was read, not when the row was written: an older reading never overwrites a newer one.
    checked_at timestamptz not null,
    primary key (realm, keycloak_id),
    constraint valid_disposition check (disposition in ('account', 'held', 'service_account', 'excluded', 'deleted')),
    constraint account_named check (disposition not in ('account', 'held') or account_id is not null)
);

-- Renewed by every hint and by every claim, so whoever settles with an older version settles nothing.
create sequence user_hints_version cache 100;

create table user_hints (
    realm text collate "C" not null,
    keycloak_id text collate "C" not null,
    version bigint not null,
    source text not null,
    cause text not null,
    kind text not null,
    hinted_at timestamptz not null,
    -- Nobody claims the hint before; a claim moves it to the end of the claim's lease.
    due_at timestamptz not null,
    attempts integer not null default 0,
    state text not null default 'waiting',
    error text,
    primary key (realm, keycloak_id),
    constraint valid_kind check (kind in ('changed', 'deleted', 'seen')),
    constraint valid_state check (state in ('waiting', 'dead'))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

create index user_hints_due on user_hints (due_at) where state = 'waiting';
