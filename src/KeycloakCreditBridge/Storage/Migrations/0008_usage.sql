-- What LLM gateways reported, as it came: stored before it is priced, gone when everything in it is charged or refused.
create table usage_batches (
    id bigint generated always as identity primary key,
    body bytea not null,
    received_at timestamptz not null,
    due_at timestamptz not null,
    attempts integer not null default 0
);

create index usage_batches_due on usage_batches (due_at);

-- A record is charged once, however often it is sent again. Callers can choose its id, so it counts for the user alone.
create table usage_records (
    user_id text collate "C" not null,
    record_id text collate "C" not null,
    charged_at timestamptz not null,
    primary key (user_id, record_id)
);

-- What could not be charged, for a person to look at.
create table usage_refusals (
    id bigint generated always as identity primary key,
    record bytea not null,
    error text not null,
    refused_at timestamptz not null
);
