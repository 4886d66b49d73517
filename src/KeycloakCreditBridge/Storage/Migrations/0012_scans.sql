alter table reconcile_runs
    -- Which part of its reading a run is in, where a mode has several.
    add column phase text not null default '',
    -- Users on record whom Keycloak did not show.
    add column gone bigint not null default 0,
    -- People whom counts tell of and windows do not show, beyond those on record.
    add column unexplained bigint,
    -- Asked for over HTTP: whom, and how many accounts may be closed.
    add column user_ids text[],
    add column allow_closing integer,
    add column cancel_asked boolean not null default false,
    drop constraint valid_run_status,
    add constraint valid_run_status check (status in ('waiting', 'running', 'done', 'failed', 'stopped', 'cancelled'));

-- Whom a listing without an order of its own has shown so far, and whom a complete reading did not show. Both last as long as their run.
create table reconcile_seen (
    run_id bigint not null,
    keycloak_id text collate "C" not null,
    primary key (run_id, keycloak_id)
);

create table reconcile_absent (
    run_id bigint not null,
    keycloak_id text collate "C" not null,
    primary key (run_id, keycloak_id)
);

-- Counts by creation are compared with Keycloak's. Federated users without import are in none of its counts.
create index keycloak_users_created on keycloak_users (realm, created_at)
    where created_at >= '1970-01-01 00:00:00+00' and disposition <> 'deleted' and keycloak_id not like 'f:%';

create index keycloak_users_undated on keycloak_users (realm)
    where (created_at is null or created_at < '1970-01-01 00:00:00+00') and disposition <> 'deleted' and keycloak_id not like 'f:%';

create index keycloak_users_service on keycloak_users (realm, created_at) where disposition = 'service_account';
