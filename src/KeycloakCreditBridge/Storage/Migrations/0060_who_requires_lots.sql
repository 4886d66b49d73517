-- Only a role that writes grants has older programs refused, or lets them in again. Roles that may write them keep that right.
do $$
declare
    writer name;
begin
    execute format('alter function credit_require_lots(boolean) set search_path = %I, pg_temp', current_schema());
    revoke execute on function credit_require_lots(boolean) from public;
    for writer in
        select distinct r.rolname
        from pg_class c
        cross join lateral aclexplode(c.relacl) a
        join pg_roles r on r.oid = a.grantee
        where c.oid = 'credit_grants'::regclass and a.privilege_type = 'INSERT'
    loop
        execute format('grant execute on function credit_require_lots(boolean) to %I', writer);
    end loop;
end $$;
