-- additive: a row of granted_emails is deleted only with the claim that it follows, by a program that has this file.
-- What grants are given for once: addresses, inboxes, identities and what applications report, as keyed hashes. A claim outlives its account.
create table grant_claims (
    kind text collate "C" not null,
    hash bytea not null,
    policy text collate "C" not null,
    first_user text collate "C" not null,
    at timestamptz not null,
    primary key (kind, hash, policy)
);

create index grant_claims_first_user on grant_claims (first_user);

-- Programs of the release before know granted_emails alone. Each of the two tables follows the other, so that both programs at once give
-- one address one welcome: a claim is written there first, and then here. The triggers work with the owner's rights, because the role of
-- a program may have none on the other table.
create function credit_address_claimed() returns trigger language plpgsql security definer set search_path from current as $$
begin
    if pg_trigger_depth() > 1 then
        return null;
    end if;
    if tg_op = 'INSERT' then
        insert into grant_claims (kind, hash, policy, first_user, at)
        values ('email', new.email_hash, 'welcome', new.account_id, new.granted_at)
        on conflict (kind, hash, policy) do nothing;
    else
        update grant_claims set first_user = new.account_id where first_user = old.account_id;
    end if;
    return null;
end $$;

create trigger credit_address_claimed after insert or update of account_id on granted_emails
    for each row execute function credit_address_claimed();

insert into grant_claims (kind, hash, policy, first_user, at)
select 'email', email_hash, 'welcome', account_id, granted_at from granted_emails;

create function credit_claim_mirrored() returns trigger language plpgsql security definer set search_path from current as $$
begin
    if pg_trigger_depth() > 1 then
        return coalesce(new, old);
    end if;
    if tg_op = 'INSERT' then
        insert into granted_emails (email_hash, account_id, granted_at) values (new.hash, new.first_user, new.at)
        on conflict (email_hash) do nothing;
    elsif tg_op = 'UPDATE' then
        update granted_emails set account_id = new.first_user where email_hash = new.hash and account_id = old.first_user;
    else
        delete from granted_emails where email_hash = old.hash;
    end if;
    return coalesce(new, old);
end $$;

create trigger credit_claim_mirrored before insert on grant_claims
    for each row when (new.kind = 'email' and new.policy = 'welcome') execute function credit_claim_mirrored();
create trigger credit_claim_moved after update of first_user on grant_claims
    for each row when (new.kind = 'email' and new.policy = 'welcome' and new.first_user <> old.first_user)
    execute function credit_claim_mirrored();
create trigger credit_claim_deleted after delete on grant_claims
    for each row when (old.kind = 'email' and old.policy = 'welcome') execute function credit_claim_mirrored();
