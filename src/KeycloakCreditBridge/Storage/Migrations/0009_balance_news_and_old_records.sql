-- Tells the bridge's processes whose balance they have to read again, whoever wrote it. A notification makes transactions commit one after
-- another, so statements that tell it otherwise say so, for their own transaction, by the setting credit_bridge.quiet. Nothing is told of new
-- accounts: nobody remembers a balance of theirs.
create function credit_bridge_tell_balances() returns trigger language plpgsql as $$
declare
    news text;
    changed bigint;
begin
    if current_setting('credit_bridge.quiet', true) = 'on' then
        return null;
    end if;
    select count(*), json_build_object('accounts', json_agg(user_id))::text into changed, news from (select user_id from before limit 301) b;
    if changed = 0 then
        return null;
    end if;
    -- A payload ends before 8,000 bytes. Without names it is about everybody.
    if changed > 300 or octet_length(news) > 7900 then
        news := '{}';
    end if;
    perform pg_notify('credit_balances', news);
    return null;
end $$;

create function credit_bridge_tell_all_balances() returns trigger language plpgsql as $$
begin
    perform pg_notify('credit_balances', '{}');
    return null;
end $$;

create trigger credit_bridge_balances_updated after update on user_credits
    referencing old table as before for each statement execute function credit_bridge_tell_balances();

create trigger credit_bridge_balances_deleted after delete on user_credits
    referencing old table as before for each statement execute function credit_bridge_tell_balances();

create trigger credit_bridge_balances_truncated after truncate on user_credits
    for each statement execute function credit_bridge_tell_all_balances();

-- Finds records that were charged long ago, and costs next to nothing when new ones are written.
create index usage_records_charged on usage_records using brin (charged_at) with (autosummarize = on);
