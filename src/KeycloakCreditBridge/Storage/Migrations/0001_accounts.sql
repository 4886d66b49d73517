-- Accounts and ledger keep the names and columns that existing installations query, so a database that already has them
-- is adopted in place: tables are made only where they are missing, then widened.
create table if not exists user_credits (
    id uuid not null default gen_random_uuid(),
    user_id text collate "C" not null,
    credits_remaining numeric(20, 6) not null default 0,
    credits_allocated numeric(20, 6) not null default 0,
    tier text not null default 'free',
    monthly_cap numeric(20, 6),
    -- The end of the current period, despite its name: existing installations write it so.
    last_reset timestamptz default now(),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint user_credits_pkey primary key (user_id)
);

alter table user_credits
    alter column credits_remaining type numeric(20, 6),
    alter column credits_allocated type numeric(20, 6),
    alter column monthly_cap type numeric(20, 6),
    add column if not exists unlimited boolean not null default false,
    add column if not exists status text not null default 'active',
    -- Why the status is what it is: the bridge takes back only what it did for the same reason.
    add column if not exists status_reason text,
    add column if not exists source text,
    -- A meter that charges what was already used may take a balance below zero, and tiers come from configuration.
    drop constraint if exists credits_remaining_positive,
    drop constraint if exists valid_tier,
    add constraint credits_allocated_not_negative check (credits_allocated >= 0),
    add constraint valid_status check (status in ('active', 'held', 'closed'));

create table if not exists credit_transactions (
    id uuid not null default gen_random_uuid() primary key,
    user_id text collate "C" not null,
    amount numeric(20, 6) not null,
    balance_after numeric(20, 6),
    transaction_type text not null,
    provider text,
    model text,
    tokens_used integer,
    cost numeric(20, 6),
    metadata jsonb,
    created_at timestamptz default now()
);

alter table credit_transactions
    add column if not exists balance_after numeric(20, 6),
    add column if not exists grant_key text;

alter table credit_transactions
    alter column amount type numeric(20, 6),
    alter column balance_after type numeric(20, 6),
    alter column cost type numeric(20, 6),
    drop constraint if exists valid_transaction_type,
    add constraint valid_transaction_type check (transaction_type in ('usage', 'purchase', 'bonus', 'refund', 'adjustment'));

-- Nulls are distinct: any number of rows without a key, one row for ever with one. Serves look-ups by account too.
create unique index credit_transactions_grant on credit_transactions (user_id, grant_key);

create table if not exists audit_logs (
    id bigint generated always as identity primary key,
    timestamp timestamptz not null default now(),
    user_id text collate "C",
    action text not null,
    result text not null,
    resource_type text,
    resource_id text,
    metadata jsonb,
    error_message text,
    ip_address text
);
