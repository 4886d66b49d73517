-- additive: the triggers that it can make drop and change nothing, and functions are replaced by those that write the same events
-- Events that cost a charge less, and events of grants that a review holds.

-- What the triggers of migration 0075 call stays for as long as they stand: the service replaces them at its next start. A charge has one of
-- these triggers in the place of two. What a balance fell to is told by the ledger row, in which the balance stands before and after.

-- A charge changes none of these columns, and so does not come here.
create function credit_event_of_state() returns trigger language plpgsql security definer as $$
begin
    if old.status <> new.status or old.tier <> new.tier or old.last_reset < new.last_reset then
        perform credit_write_events(old, new, null, false);
    end if;
    return null;
end $$;

-- Writes the events of a ledger row. `low` has the thresholds by tier. What an account loses by other rows than usage may be given to it by
-- the same statement, such as the next period's credits: there the balance of the account counts.
create function credit_write_entry(entry credit_transactions, low jsonb) returns void language plpgsql security definer as $$
declare
    account record;
    earlier numeric;
    later numeric;
begin
    if entry.transaction_type in ('bonus', 'purchase') and entry.amount > 0 then
        insert into outbox (account_id, type, data)
        values (entry.user_id, 'credits.granted', jsonb_strip_nulls(jsonb_build_object(
            'grant', coalesce(entry.grant_key, 'tx:' || entry.id), 'amount', entry.amount::text, 'type', entry.transaction_type,
            'reason', entry.metadata ->> 'reason', 'balance', entry.balance_after::text)));
    elsif entry.transaction_type = 'adjustment' and entry.grant_key like 'expire:%' then
        insert into outbox (account_id, type, data)
        values (entry.user_id, 'credits.expired', jsonb_strip_nulls(jsonb_build_object(
            'grant', entry.metadata ->> 'grant', 'amount', (-entry.amount)::text, 'ended_at', entry.metadata ->> 'ended_at',
            'balance', entry.balance_after::text)));
    end if;
    if entry.amount >= 0 then
        return;
    end if;
    select u.tier, u.credits_remaining as balance, (low ->> u.tier)::numeric as threshold into account
    from user_credits u where u.user_id = entry.user_id and not u.unlimited;
    later := case entry.transaction_type when 'usage' then coalesce(entry.balance_after, account.balance)
        else greatest(entry.balance_after, account.balance) end;
    earlier := coalesce(entry.balance_after, account.balance) - entry.amount;
    insert into outbox (account_id, type, data)
    select entry.user_id, e.type, jsonb_strip_nulls(e.data || jsonb_build_object('tier', account.tier, 'balance', later::text))
    from (values
        (1, account.threshold, 'credits.low', jsonb_build_object('threshold', account.threshold::text)),
        (2, 0, 'credits.exhausted', '{}'::jsonb)) as e (n, threshold, type, data)
    where account.balance is not null and later <= e.threshold and earlier > e.threshold
    order by e.n;
end $$;

-- Runs at each charge, so it sets no search path: that would cost more than the rest of it. Instead it names the schema of all that it uses.
-- A charge evaluates one expression and returns a variable, as each expression costs anew in each transaction; a condition of the trigger
-- itself would be read and planned at each statement. Its arguments are the highest threshold, all thresholds with 0, negative and in
-- order, so that equal ones count as reached, and the thresholds by tier.
create function credit_event_of_booking() returns trigger language plpgsql security definer as $$
begin
    if new.transaction_type operator(pg_catalog.<>) 'usage' or new.balance_after is null
        or new.balance_after operator(pg_catalog.<=) tg_argv[0]::pg_catalog.numeric
            and pg_catalog.width_bucket(operator(pg_catalog.-) new.balance_after, tg_argv[1]::pg_catalog.numeric[])
                operator(pg_catalog.<>) pg_catalog.width_bucket(
                    new.amount operator(pg_catalog.-) new.balance_after, tg_argv[1]::pg_catalog.numeric[])
    then
        execute pg_catalog.format('select %I.credit_write_entry($1, $2)', tg_table_schema) using new, tg_argv[2]::pg_catalog.jsonb;
    end if;
    return new;
end $$;

-- Who decided is told by kind, as an event holds no name.
create function credit_event_of_hold() returns trigger language plpgsql security definer as $$
begin
    insert into outbox (account_id, type, data)
    values (new.user_id, case new.state when 'held' then 'grant.held' when 'approved' then 'grant.approved' else 'grant.rejected' end,
        jsonb_strip_nulls(jsonb_build_object(
            'hold', new.id, 'grant', new.grant_key, 'policy', new.policy, 'amount', new.credits::numeric(20, 6)::text, 'score', new.score,
            'lapses_at', case new.state when 'held' then new.lapses_at end,
            'appealed', new.appealed_at is not null,
            'by', case when new.state = 'held' then null when new.decided_by in ('time', 'paid', 'score') then new.decided_by
                else 'operator' end)));
    return null;
end $$;

-- As migration 0075 made it, with the table of holds, and with a comment at each trigger that says of which migration it is: triggers of an
-- earlier one are replaced.
create or replace function credit_switch_events(of_table text, low jsonb) returns boolean
    language plpgsql security definer set lock_timeout = '2s' as $$
declare
    needed constant integer := case when low is null then 0 when of_table in ('user_credits', 'grant_holds') then 2 else 1 end;
    mark constant text := '0090 ' || low::text;
    right_ones integer;
    all_ones integer;
    one name;
    thresholds numeric[];
begin
    if of_table not in ('user_credits', 'credit_transactions', 'audit_logs', 'grant_holds') then
        raise exception 'no events come from table %', of_table;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('credit_events:' || of_table, 0));
    -- An older program asks for accounts first. Until the ledger tells of low balances the triggers that tell of them stay.
    if of_table = 'user_credits' and low is not null and not exists (
        select from pg_trigger t
        where t.tgrelid = to_regclass('credit_transactions') and t.tgname = 'credit_event_entered'
            and obj_description(t.oid, 'pg_trigger') like '0090 %')
    then
        return false;
    end if;
    select count(*) filter (where t.tgenabled = 'O' and obj_description(t.oid, 'pg_trigger') = mark), count(*)
    into right_ones, all_ones
    from pg_trigger t
    where t.tgrelid = to_regclass(of_table) and starts_with(t.tgname, 'credit_event_');
    if right_ones = needed and all_ones = needed then
        return false;
    end if;
    for one in
        select t.tgname from pg_trigger t where t.tgrelid = to_regclass(of_table) and starts_with(t.tgname, 'credit_event_')
    loop
        execute format('drop trigger %I on %I', one, of_table);
    end loop;
    if low is null then
        return true;
    end if;
    if of_table = 'user_credits' then
        create trigger credit_event_opened after insert on user_credits for each row execute function credit_event_of_opening();
        create trigger credit_event_changed after update of status, tier, last_reset on user_credits
            for each row execute function credit_event_of_state();
    elsif of_table = 'credit_transactions' then
        select array_agg(-t.value order by t.value desc) into thresholds
        from (select 0 as value union select l.value::numeric from jsonb_each_text(low) l) t;
        execute format(
            'create trigger credit_event_entered after insert on credit_transactions for each row '
                'execute function credit_event_of_booking(%L, %L, %L)',
            -thresholds[1], thresholds, low);
    elsif of_table = 'grant_holds' then
        create trigger credit_event_held after insert on grant_holds for each row execute function credit_event_of_hold();
        create trigger credit_event_decided after update on grant_holds
            for each row when (old.state <> new.state) execute function credit_event_of_hold();
    else
        create trigger credit_event_noticed after insert on audit_logs
            for each row when (new.action = 'credit.expiring') execute function credit_event_of_notice();
    end if;
    for one in
        select t.tgname from pg_trigger t where t.tgrelid = to_regclass(of_table) and starts_with(t.tgname, 'credit_event_')
    loop
        execute format('comment on trigger %I on %I is %L', one, of_table, mark);
    end loop;
    return true;
end $$;

-- No caller's search path decides which tables these functions mean.
do $$
declare
    signature text;
begin
    foreach signature in array array['credit_event_of_state()', 'credit_write_entry(credit_transactions, jsonb)',
        'credit_event_of_hold()', 'credit_switch_events(text, jsonb)']
    loop
        execute format('alter function %s set search_path = %I, pg_temp', signature, current_schema());
    end loop;
end $$;

-- A role that may not change an account makes no event by calling these, or by a trigger of another table.
revoke execute on function credit_event_of_state(), credit_event_of_booking(), credit_write_entry(credit_transactions, jsonb),
    credit_event_of_hold() from public;
