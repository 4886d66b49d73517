-- Which grants are about to end and were not told of yet: by the last notice, then by the end.
create index credit_grants_notices on credit_grants ((coalesce(noticed_days, 32767)), expires_at)
    where closed_at is null and expires_at is not null;
