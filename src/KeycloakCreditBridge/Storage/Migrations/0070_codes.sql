-- Campaigns: the credits that a set of codes pays, the users who may redeem them, and the time. A campaign never changes, so what was
-- promised with a code stays.
create table code_campaigns (
    id bigint generated always as identity primary key,
    realm text collate "C" not null,
    name text collate "C" not null,
    credits numeric(20, 6) not null check (credits > 0),
    expires_after interval,
    starts_at timestamptz not null,
    ends_at timestamptz,
    -- What redeems once: an account, a verified address, or the inbox of one.
    once text not null default 'user' check (once in ('user', 'email', 'inbox')),
    -- Such as `email_verified`: a place is kept until it is met.
    requires text[] not null default '{}',
    -- Tells whether the server's key is still the one that its codes were hashed with.
    key_check bytea not null,
    created_by text not null,
    created_at timestamptz not null,
    unique (realm, name),
    check (starts_at < ends_at)
);

-- Codes, of which the database knows keyed hashes alone. The table itself holds each cap, whatever a program does.
create table codes (
    id uuid primary key default gen_random_uuid(),
    realm text collate "C" not null,
    code_hash bytea not null,
    campaign_id bigint not null references code_campaigns,
    -- The place in the campaign's list, from 1.
    number integer not null,
    max_redemptions bigint not null check (max_redemptions > 0),
    redeemed bigint not null default 0,
    disabled_at timestamptz,
    unique (realm, code_hash),
    constraint codes_within_cap check (redeemed between 0 and max_redemptions)
);

create index codes_of_campaign on codes (campaign_id);

-- Redemptions: the place that an account took of a code, once in a campaign. A place that is held waits for what the campaign requires;
-- `released` tells that the place was given back.
create table code_redemptions (
    campaign_id bigint not null references code_campaigns,
    user_id text collate "C" not null,
    code_id uuid not null references codes,
    state text not null check (state in ('held', 'paid', 'rejected', 'void')),
    released boolean not null default false,
    redeemed_at timestamptz not null,
    decided_at timestamptz,
    decided_by text,
    primary key (campaign_id, user_id)
);

create index code_redemptions_held on code_redemptions (user_id) where state = 'held';

create index code_redemptions_of_code on code_redemptions (code_id);

-- Failed attempts of the last hour. The network is a keyed hash of a /24 or /64.
create table code_failures (
    realm text collate "C" not null,
    keycloak_id text collate "C" not null,
    network bytea,
    failed_at timestamptz not null
);

create index code_failures_by_user on code_failures (realm, keycloak_id, failed_at);

create index code_failures_by_network on code_failures (realm, network, failed_at);

create index code_failures_by_time on code_failures (realm, failed_at);
