-- Known users by day of registration and by what is known of them, rebuilt from the records. Each user is counted in one row.
create table analytics_funnel (
    day date not null,
    realm text collate "C" not null,
    tier text collate "C" not null,
    source text collate "C" not null,
    arm text collate "C" not null,
    way text collate "C" not null,
    box text collate "C" not null,
    users bigint not null,
    provisioned bigint not null,
    granted bigint not null,
    first_read bigint not null,
    first_spend bigint not null,
    exhausted bigint not null,
    purchased bigint not null,
    primary key (realm, day, tier, source, arm, way, box)
);

-- How long users waited for their accounts, as a histogram whose buckets grow by 4 %.
create table analytics_latency (
    day date not null,
    realm text collate "C" not null,
    way text collate "C" not null,
    bucket integer not null,
    users bigint not null,
    skewed bigint not null,
    max_ms bigint not null,
    primary key (realm, day, way, bucket)
);

-- Credits by the day on which they end: with their period, or granted ones with the end of their grant.
create table analytics_expiries (
    day date not null,
    realm text collate "C" not null,
    kind text collate "C" not null,
    accounts bigint not null,
    credits numeric(26, 6) not null,
    primary key (realm, day, kind)
);

-- When all were rebuilt, and for which time zone. One row.
create table analytics_state (
    single boolean primary key default true check (single),
    zone text not null,
    rebuilt_at timestamptz not null,
    whole_at timestamptz not null
);

-- As before, with the tables of analytics.
create or replace function credit_rename_realm(old_name text, new_name text, dry boolean) returns table (relation text, moved bigint)
    language plpgsql as $$
declare
    found record;
begin
    for found in
        select c.oid::regclass as name, c.relname::text as label
        from pg_class c
        where c.relnamespace = (select o.relnamespace from pg_class o where o.oid = to_regclass('user_credits'))
            and c.relname in
                ('analytics_expiries', 'analytics_funnel', 'analytics_latency', 'deliveries', 'keycloak_users', 'overwritten_users',
                'poll_cursors', 'reconcile_runs', 'unproven_deliveries', 'user_credits', 'user_hints')
        order by c.relname
    loop
        if dry then
            execute format('select count(*) from %s where realm = $1', found.name) into moved using old_name;
        else
            execute format('update %s set realm = $2 where realm = $1', found.name) using old_name, new_name;
            get diagnostics moved = row_count;
        end if;
        relation := found.label;
        return next;
    end loop;
end $$;
