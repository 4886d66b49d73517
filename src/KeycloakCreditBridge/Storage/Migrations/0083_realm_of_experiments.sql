-- Gives every row of a realm the realm's new name, in the bridge's own tables alone: others may stand in the same schema, and a column
-- `realm` of theirs means something else. A migration that makes a table with a column `realm` replaces this function, or a later one does
-- where its number is lower. With `dry` it counts only.
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
                ('analytics_expiries', 'analytics_funnel', 'analytics_latency', 'analytics_utm', 'analytics_waits', 'code_campaigns',
                'code_failures', 'codes', 'deliveries', 'experiment_assignments', 'experiments', 'fraud_origins',
                'fraud_registrations', 'grant_policies', 'keycloak_users', 'overwritten_users', 'poll_cursors', 'reconcile_runs',
                'scheduled_evaluations', 'unproven_deliveries', 'user_credits', 'user_hints')
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
