-- What the signals keep of each user's address when the first grant is assessed. `inbox`, `domain` and `series` are keyed hashes; `series`
-- stands for names that differ in a sign or two. `signals` are those that spoke then: they never change.
create table fraud_registrations (
    realm text collate "C" not null,
    keycloak_id text collate "C" not null,
    registered_at timestamptz not null,
    inbox bytea,
    domain bytea,
    series bytea,
    signals text[] not null,
    primary key (realm, keycloak_id)
);

create index fraud_registrations_by_inbox on fraud_registrations (realm, inbox) where inbox is not null;
create index fraud_registrations_by_domain on fraud_registrations (realm, domain, registered_at) where domain is not null;
create index fraud_registrations_by_series on fraud_registrations (realm, series, registered_at) where series is not null;

-- From where users registered, for 30 days. `network` is a keyed hash of a /24 or /64; without one `missing` says why. The counts are those
-- of the network when the row was written, this user included, to ten at most.
create table fraud_origins (
    realm text collate "C" not null,
    keycloak_id text collate "C" not null,
    registered_at timestamptz not null,
    network bytea,
    missing text,
    in_hour smallint not null default 0,
    in_day smallint not null default 0,
    primary key (realm, keycloak_id),
    check (network is not null or missing is not null)
);

create index fraud_origins_by_network on fraud_origins (realm, network, registered_at) where network is not null;
create index fraud_origins_by_time on fraud_origins (realm, registered_at) include (network);

-- What operators say of domains, and of addresses by their keyed hash in hexadecimal. It wins over every list.
create table fraud_entries (
    kind text not null check (kind in ('domain', 'address')),
    value text collate "C" not null,
    verdict text not null check (verdict in ('allow', 'deny')),
    note text,
    made_by text not null,
    made_at timestamptz not null,
    primary key (kind, value)
);
