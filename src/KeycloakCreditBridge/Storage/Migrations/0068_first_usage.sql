-- Has an account evaluated once its first usage was charged, where a task of the realm is active. It is written with the charge, so that a
-- kill loses nothing, and with the owner's rights: a charge never fails for want of a right on these tables.
create function credit_first_usage() returns trigger language plpgsql security definer set search_path from current as $$
begin
    insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
    select new.realm, new.keycloak_id, 'first_usage', new.first_spend_at
    where exists (select from grant_policies p where p.realm = new.realm and p.policy like 'task:%' and p.disabled_at is null)
    on conflict (realm, keycloak_id, what) do nothing;
    return null;
end $$;

create trigger credit_first_usage after update of first_spend_at on user_credits
    for each row when (old.first_spend_at is null and new.first_spend_at is not null and new.keycloak_id is not null)
    execute function credit_first_usage();
