-- Users without an account, because the account of their id belongs to another user: counted by each run.
create index keycloak_users_left_out on keycloak_users (realm) where user_state = 'excluded' and reason = 'account_id_taken';

alter table reconcile_runs add column left_out bigint not null default 0;

-- Keeps writers away from what a realm's new name concerns, until the transaction ends.
create function credit_lock_realms() returns void language plpgsql as $$
begin
    lock table keycloak_users, user_credits, user_hints in share row exclusive mode;
end $$;

-- Gives every row of a realm the realm's new name: in each table beside user_credits that has a column `realm`, those of later
-- migrations included. With `dry` it counts only.
create function credit_rename_realm(old_name text, new_name text, dry boolean) returns table (relation text, moved bigint)
    language plpgsql as $$
declare
    found record;
begin
    for found in
        select c.oid::regclass as name, c.relname::text as label
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'realm' and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = (select o.relnamespace from pg_class o where o.oid = to_regclass('user_credits'))
            and c.relkind in ('r', 'p') and not c.relispartition
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
