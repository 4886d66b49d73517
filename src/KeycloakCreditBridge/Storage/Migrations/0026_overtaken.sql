-- Ends a statement that decided on a snapshot which another one has overtaken. It is repeated, as after a deadlock.
create function credit_overtaken() returns boolean language plpgsql as $$
begin
    raise exception 'Another statement stored the same account or user at the same time.' using errcode = 'serialization_failure';
end
$$;
