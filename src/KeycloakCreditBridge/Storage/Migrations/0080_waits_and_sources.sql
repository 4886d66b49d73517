-- How long the users of a day waited for their accounts, in milliseconds: each of them, and summed up in buckets that grow by 4 % for where
-- these are too many. Arrays keep a day in one row. Older programs go on with analytics_latency.
create table analytics_waits (
    day date not null,
    realm text collate "C" not null,
    way text collate "C" not null,
    users bigint not null,
    skewed bigint not null,
    max_ms bigint not null,
    waits bigint[] not null,
    buckets integer[] not null,
    counts integer[] not null,
    primary key (realm, day, way)
);

-- Known users by what their browsers said that brought them: the most frequent claims of a realm, as users may claim anything.
create table analytics_utm (
    day date not null,
    realm text collate "C" not null,
    utm text collate "C" not null,
    box text collate "C" not null,
    users bigint not null,
    provisioned bigint not null,
    granted bigint not null,
    first_read bigint not null,
    first_spend bigint not null,
    exhausted bigint not null,
    purchased bigint not null,
    primary key (realm, day, utm, box)
);

-- What the program that rebuilt all days last knew to count: a program that knows more rebuilds all of them.
alter table analytics_state add column layout integer not null default 0;
