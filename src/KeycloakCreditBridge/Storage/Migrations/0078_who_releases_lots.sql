-- Only a role that owns the tables lets programs that do not know lots use this database again: the service's role, which may call this
-- function to refuse them, may not. It runs with the owner's rights, so it asks who has signed in.
create or replace function credit_require_lots(needed boolean) returns void language plpgsql security definer set search_path from current
as $$
begin
    if not needed and not pg_has_role(session_user, current_user, 'member') then
        raise insufficient_privilege using message = format('must be owner of function credit_require_lots: role %I is not', session_user);
    end if;
    update schema_migrations set requires = case when needed then 40 else 0 end
    where version = 40 and requires is distinct from case when needed then 40 else 0 end;
end $$;

do $$
begin
    execute format('alter function credit_require_lots(boolean) set search_path = %I, pg_temp', current_schema());
end $$;
