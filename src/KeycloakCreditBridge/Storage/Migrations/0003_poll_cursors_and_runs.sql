-- Work that one replica does at a time: polling a realm, reconciling a realm.
create table leases (
    name text primary key,
    owner text not null,
    held_until timestamptz not null
);

create table poll_cursors (
    realm text not null,
    stream text not null,
    -- Time of the newest event that became a durable hint, and its id: an event store that lost that event was wiped.
    watermark timestamptz not null,
    last_event text,
    polled_at timestamptz not null,
    primary key (realm, stream),
    constraint valid_stream check (stream in ('user-events', 'admin-events'))
);

create table reconcile_runs (
    id bigint generated always as identity primary key,
    realm text not null,
    mode text not null,
    trigger text not null,
    since timestamptz,
    dry_run boolean not null,
    -- Whether users that have their accounts were judged again too.
    rejudge boolean not null,
    status text not null,
    -- The process at work: one that lost its lease writes nothing into a run that another has taken over.
    owner text not null,
    -- Rows of the listing that were read, and the ids of the last of them: where the next process goes on, and how it knows the place again.
    position bigint not null default 0,
    tail text[] not null default '{}',
    expected bigint,
    seen bigint not null default 0,
    missing bigint not null default 0,
    provisioned bigint not null default 0,
    closed bigint not null default 0,
    failed bigint not null default 0,
    error text,
    started_at timestamptz not null,
    updated_at timestamptz not null,
    ended_at timestamptz,
    constraint valid_run_status check (status in ('running', 'done', 'failed', 'stopped'))
);

create index reconcile_runs_latest on reconcile_runs (realm, id desc);
