-- What was decided when credits were granted: a row for each grant with an end, a priority or a policy of its own. A ledger row without one
-- here is a lot without end. The key is the ledger row's grant_key, or `tx:` and its id. Remainders stand nowhere: the ledger yields them.
create table credit_grants (
    user_id text collate "C" not null,
    grant_key text collate "C" not null,
    amount numeric(20, 6) not null,
    category text not null default 'promotional' check (category in ('promotional', 'paid')),
    priority smallint not null default 50 check (priority between 0 and 100),
    granted_at timestamptz not null,
    expires_at timestamptz,
    closed_at timestamptz,
    close_reason text,
    policy text collate "C",
    policy_version text,
    evidence jsonb,
    noticed_days smallint,
    primary key (user_id, grant_key)
);

-- The soonest end of an account's open lots. From then on nothing is spent before what ended is booked out.
alter table user_credits add column next_expiry timestamptz;

create index user_credits_next_expiry on user_credits (next_expiry) where next_expiry is not null and status <> 'closed';

-- Bought credits: opening grants are purchases too, here and in installations that were taken over.
create index credit_transactions_paid on credit_transactions (user_id)
    where transaction_type = 'purchase' and grant_key is null
        and coalesce(metadata ->> 'reason', '') not in ('initial_allocation', 'adopted');

-- The lots of an account with a long ledger as they are after one of its rows. Derived: it may be deleted at any time.
create table lot_checkpoints (
    user_id text collate "C" primary key,
    booked_at timestamptz not null,
    entry_id uuid not null,
    state jsonb not null
);

-- What a policy granted on a day (UTC), or in all at the day 9999-12-31.
create table grant_budgets (
    policy text collate "C" not null,
    day date not null,
    given numeric(20, 6) not null,
    primary key (policy, day)
);

-- Has programs that do not know lots refuse this database, since ended credits would come to life again; or lets them use it.
-- It runs with the rights of the owner of the tables, as the service's role only reads schema_migrations.
create function credit_require_lots(needed boolean) returns void language plpgsql security definer set search_path from current as $$
begin
    update schema_migrations set requires = case when needed then 40 else 0 end
    where version = 40 and requires is distinct from case when needed then 40 else 0 end;
end $$;
