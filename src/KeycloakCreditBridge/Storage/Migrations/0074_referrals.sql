-- The code of an account, which it gives to others.
create table referral_codes (
    user_id text collate "C" primary key,
    code text collate "C" not null unique,
    created_at timestamptz not null
);

-- How many referrals an account is paid for: those that are paid, and those that wait for it.
create table referrers (
    user_id text collate "C" primary key,
    places integer not null check (places >= 0)
);

-- Referrals: a referrer and the new user, the referee. A referee has one referral that counts, and refused ones beside it. No names and
-- addresses stand here.
create table referrals (
    id uuid primary key default gen_random_uuid(),
    referrer text collate "C" not null,
    referee text collate "C" not null,
    state text not null check (
        state in ('touched', 'pending', 'earned', 'paid', 'refused', 'capped', 'held', 'canceled', 'expired', 'reversed')),
    reason text,
    touched_at timestamptz not null,
    checked_at timestamptz,
    evaluated_at timestamptz not null,
    due_at timestamptz,
    place_at timestamptz,
    settles_at timestamptz,
    ended_at timestamptz,
    referrer_credits numeric(20, 6),
    referee_credits numeric(20, 6),
    referrer_grant text,
    referee_grant text
);

create unique index referrals_of_referee on referrals (referee) where state <> 'refused';
create unique index referrals_of_both on referrals (referee, referrer);
create index referrals_of_referrer on referrals (referrer, place_at);
create index referrals_due on referrals (due_at) where due_at is not null;
create index referrals_touched on referrals (evaluated_at) where state = 'touched';
