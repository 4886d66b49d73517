-- Experiments on welcome credits: what each version compares, frozen when it began, and what was decided about it since.
create table experiments (
    realm text collate "C" not null,
    experiment text collate "C" not null,
    version integer not null,
    definition text not null,
    started_at timestamptz not null,
    stopped_at timestamptz,
    winner text,
    primary key (realm, experiment, version)
);

-- Assignments: the arm of each user in an experiment, for ever, with what it gives. `exposed_at` is when the welcome was paid by it; null
-- until then. They follow Keycloak's user and not the account.
create table experiment_assignments (
    realm text collate "C" not null,
    keycloak_id text collate "C" not null,
    experiment text collate "C" not null,
    version integer not null,
    arm text collate "C" not null,
    bucket integer not null,
    credits numeric(20, 6) not null,
    expires_after double precision,
    assigned_at timestamptz not null,
    exposed_at timestamptz,
    primary key (realm, keycloak_id, experiment)
);

create index experiment_assignments_arms on experiment_assignments (realm, experiment, version, arm);
