-- additive: it drops only days of its own table, which no older program knows
-- What came in and what came of it: each proven webhook and each batch of a poll. A day is a partition, so that an old day is dropped at once.
create table deliveries (
    received_at timestamptz not null,
    id uuid not null,
    realm text collate "C" not null,
    way text not null,
    format text,
    event text,
    keycloak_id text collate "C",
    kind text,
    outcome text not null,
    reason text,
    events integer,
    hints integer not null,
    duration_us bigint not null,
    trace_id text,
    body text,
    constraint deliveries_pkey primary key (received_at, id),
    constraint valid_way check (way in ('webhook', 'poll')),
    constraint valid_outcome check (outcome in ('stored', 'ignored', 'refused', 'not_stored'))
) partition by range (received_at);

create index deliveries_of_user on deliveries (keycloak_id, received_at) where keycloak_id is not null;
create index deliveries_failed on deliveries (received_at) where outcome in ('refused', 'not_stored');

-- Requests whose sender proved nothing: strangers fill no disk with a count a minute, and a sample without body.
create table unproven_deliveries (
    minute timestamptz not null,
    realm text collate "C" not null,
    reason text collate "C" not null,
    count bigint not null,
    sample jsonb not null,
    primary key (minute, realm, reason)
);

-- Makes the days around this time, and returns how many were not there. It runs as the owner of the tables, because the service's role makes and drops nothing else. A day is
-- attached, which lets others write meanwhile.
create function credit_make_delivery_days(at timestamptz) returns integer language plpgsql security definer set lock_timeout = '2s' as $$
declare
    made integer := 0;
    today date := (at at time zone 'UTC')::date;
    name text;
begin
    perform pg_advisory_xact_lock(hashtextextended('credit_deliveries', 0));
    for day in -1 .. 3 loop
        name := 'deliveries_' || to_char(today + day, 'YYYYMMDD');
        if to_regclass(name) is null then
            execute format('create table %I (like deliveries including defaults including constraints)', name);
            execute format(
                'alter table deliveries attach partition %I for values from (%L) to (%L)', name,
                (today + day)::timestamp at time zone 'UTC', (today + day + 1)::timestamp at time zone 'UTC');
            made := made + 1;
        end if;
    end loop;
    return made;
end $$;

-- Drops the days before this one, each in a statement of its own, and returns how many.
create function credit_drop_delivery_days(first_kept date) returns integer language plpgsql security definer set lock_timeout = '2s' as $$
declare
    old record;
    dropped integer := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('credit_deliveries', 0));
    for old in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'deliveries'::regclass and c.relname ~ '^deliveries_[0-9]{8}$'
            and to_date(right(c.relname, 8), 'YYYYMMDD') < first_kept
        order by c.relname
    loop
        execute format('drop table %I', old.relname);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$;

-- No caller's search path decides which tables these functions mean, and only roles that were granted it call them.
do $$
begin
    execute format('alter function credit_make_delivery_days(timestamptz) set search_path = %I, pg_temp', current_schema());
    execute format('alter function credit_drop_delivery_days(date) set search_path = %I, pg_temp', current_schema());
end $$;

revoke execute on function credit_make_delivery_days(timestamptz), credit_drop_delivery_days(date) from public;

-- As before, with the tables of deliveries.
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
                ('deliveries', 'keycloak_users', 'overwritten_users', 'poll_cursors', 'reconcile_runs', 'unproven_deliveries',
                'user_credits', 'user_hints')
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
