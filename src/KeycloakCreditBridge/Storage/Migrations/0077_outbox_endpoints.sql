-- additive: rows that wait go with their events, of tables that no older program knows
-- Programs that events about credits are sent to, by their names in the settings: how far each has them, and since when it fails.
create table outbox_endpoints (
    name text collate "C" primary key,
    position bigint not null,
    failing_since timestamptz,
    disabled_at timestamptz,
    succeeded_at timestamptz,
    error text
);

-- Events that a program did not take while it took others, and those of the same accounts behind them. A time in `given_up_at` ends the trying.
create table outbox_waiting (
    endpoint text collate "C" not null,
    seq bigint not null references outbox on delete cascade,
    attempts integer not null,
    due_at timestamptz not null,
    failed_at timestamptz not null,
    given_up_at timestamptz,
    error text,
    primary key (endpoint, seq)
);

create index outbox_waiting_of_event on outbox_waiting (seq);
