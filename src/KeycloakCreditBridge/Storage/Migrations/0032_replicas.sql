-- Running replicas, each with the program that it runs. The times are the database's.
create table replicas (
    id text collate "C" primary key,
    version text not null,
    last_migration integer not null,
    started_at timestamptz not null,
    last_seen timestamptz not null
);

-- Keeps replicas from showing themselves until the transaction ends.
create function credit_lock_replicas() returns void language plpgsql as $$
begin
    lock table replicas in share mode;
end $$;
