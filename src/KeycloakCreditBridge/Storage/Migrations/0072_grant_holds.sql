-- Grants that a review holds back. What the grant comes to is stamped here, so that an approval pays what was decided at the hold. `claims`
-- are keyed hashes of the user's inbox. The realm is that of the account.
create table grant_holds (
    id uuid primary key default gen_random_uuid(),
    user_id text collate "C" not null,
    grant_key text collate "C" not null,
    policy text collate "C" not null,
    policy_version text,
    credits numeric(20, 6) not null check (credits >= 0),
    terms jsonb not null,
    claims jsonb not null default '[]',
    score smallint not null check (score between 0 and 100),
    signals jsonb not null,
    state text not null check (state in ('held', 'approved', 'rejected', 'lapsed')),
    held_at timestamptz not null,
    lapse_after interval not null,
    lapses_at timestamptz not null,
    lapse_approves boolean not null default false,
    checked_at timestamptz,
    decided_by text,
    decided_at timestamptz,
    note text,
    appeal jsonb,
    appealed_at timestamptz,
    version integer not null default 1
);

create unique index grant_holds_open on grant_holds (user_id, grant_key) where state = 'held';
create index grant_holds_of_user on grant_holds (user_id, grant_key);
create index grant_holds_undecided on grant_holds (lapses_at) where state = 'held';
create index grant_holds_decided on grant_holds (decided_at) where state <> 'held';

-- Keys of grants that a review refused: no later evaluation pays them.
create table refused_grants (
    user_id text collate "C" not null,
    grant_key text collate "C" not null,
    hold_id uuid not null references grant_holds,
    refused_at timestamptz not null,
    primary key (user_id, grant_key)
);

-- Keys of grants that a review holds back or refused: nothing else may pay them.
create view stopped_grants as
    select h.user_id, h.grant_key from grant_holds h where h.state = 'held'
    union all
    select r.user_id, r.grant_key from refused_grants r;
