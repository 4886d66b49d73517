-- When a policy was first active in a realm: it concerns accounts that were opened since. The time is kept for ever, whatever replicas are
-- configured to do. A disabled policy gives no more grants.
create table grant_policies (
    realm text collate "C" not null,
    policy text collate "C" not null,
    activated_at timestamptz not null,
    disabled_at timestamptz,
    primary key (realm, policy)
);

-- Welcome credits that a policy withheld when the account was opened, what it opened with, and the tier that they belong to. Null when
-- nothing was withheld, and once it is paid.
alter table user_credits
    add column withheld_credits numeric(20, 6),
    add column withheld_before numeric(20, 6),
    add column withheld_tier text;
