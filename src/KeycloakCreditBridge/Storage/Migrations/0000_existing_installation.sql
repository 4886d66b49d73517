-- The tables of an existing installation, before the next migration adds to them. Numbered to come first, as that one builds indexes on
-- what is changed here. Does nothing to tables that the bridge made. What is said at level INFO is logged, a line each.
create table adoption (
    one boolean primary key default true,
    -- What was replaced in tables that were there already.
    replaced text[] not null default '{}',
    found_at timestamptz not null,
    -- Null until every account that was there is somebody's or is known to be nobody's.
    adopted_at timestamptz,
    constraint one_row check (one)
);

do $$
declare
    found record;
    line text;
    lines text[] := '{}';
    due boolean;
begin
    if to_regclass('user_credits') is null then
        return;
    end if;

    -- Accounts are text of any form, and may come before their rows in anybody's table of users.
    for found in
        select c.conname, c.conrelid::regclass as owner, pg_get_constraintdef(c.oid) as definition
        from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid and a.attname = 'user_id' and a.attnum = any (c.conkey)
        where c.contype = 'f' and c.conrelid in (to_regclass('user_credits'), to_regclass('credit_transactions'))
    loop
        execute format('alter table %s drop constraint %I', found.owner, found.conname);
        lines := lines || format('Dropped constraint %s of %s: %s', found.conname, found.owner, found.definition);
    end loop;

    -- A meter that charges what was already used may take a balance below zero, and tiers come from configuration.
    for found in
        select c.conname, c.conrelid::regclass as owner, pg_get_constraintdef(c.oid) as definition
        from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
        where c.contype = 'c' and c.conrelid = to_regclass('user_credits') and a.attname in ('credits_remaining', 'tier')
    loop
        execute format('alter table %s drop constraint %I', found.owner, found.conname);
        lines := lines || format('Dropped constraint %s of %s: %s', found.conname, found.owner, found.definition);
    end loop;

    -- Ids are compared byte by byte everywhere: an index in another collation would serve none of the bridge's statements.
    for found in
        select a.attrelid::regclass as owner, format_type(a.atttypid, a.atttypmod) as was, a.atttypid not in ('text'::regtype, 'varchar'::regtype) as rewrites
        from pg_attribute a
        where a.attrelid in (to_regclass('user_credits'), to_regclass('credit_transactions')) and a.attname = 'user_id'
            and (a.atttypid <> 'text'::regtype or a.attcollation <> (select oid from pg_collation where collname = 'C' and collencoding = -1))
    loop
        execute format('alter table %s alter column user_id type text collate "C" using user_id::text', found.owner);
        lines := lines || format(
            'Changed user_id of %s from %s to text: %s', found.owner, found.was,
            case when found.rewrites then 'the table was rewritten' else 'the table stays, its indexes on user_id were built again' end);
    end loop;

    for found in
        select a.attrelid::regclass as owner, a.attname, format_type(a.atttypid, a.atttypmod) as was, ((a.atttypmod - 4) & 65535) <> 6 as rewrites
        from pg_attribute a
        where a.atttypid = 'numeric'::regtype and a.atttypmod <> -1 and a.atttypmod <> ((20 << 16) | 6) + 4
            and (a.attrelid, a.attname) in (
                (to_regclass('user_credits'), 'credits_remaining'), (to_regclass('user_credits'), 'credits_allocated'),
                (to_regclass('user_credits'), 'monthly_cap'), (to_regclass('credit_transactions'), 'amount'),
                (to_regclass('credit_transactions'), 'balance_after'), (to_regclass('credit_transactions'), 'cost'))
        order by a.attrelid, a.attnum
    loop
        execute format('alter table %s alter column %I type numeric(20, 6)', found.owner, found.attname);
        lines := lines || format(
            'Widened %s of %s from %s to numeric(20,6): the table %s', found.attname, found.owner, found.was,
            case when found.rewrites then 'was rewritten' else 'stays' end);
    end loop;

    foreach line in array lines loop
        raise info '%', line;
    end loop;

    -- Accounts that nobody is known to own. A database that the bridge has prepared before has the columns that say so.
    if exists (select from pg_attribute where attrelid = to_regclass('user_credits') and attname = 'keycloak_id' and not attisdropped) then
        execute 'select exists (select from user_credits where source is null and keycloak_id is null)' into due;
    else
        execute 'select exists (select from user_credits)' into due;
    end if;
    if due or cardinality(lines) > 0 then
        insert into adoption (replaced, found_at, adopted_at) values (lines, now(), case when not due then now() end);
    end if;
end
$$;
