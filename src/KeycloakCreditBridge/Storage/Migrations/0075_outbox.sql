-- additive: the triggers that it can make drop and change nothing, and write to a table that no older program knows
-- What happened to accounts, for other programs. A row is written in the transaction that causes it, by triggers that stand only while
-- events are switched on, so that programs that know nothing of events write them too. Rows of one account come in the order of its changes,
-- because a transaction that changes an account has it locked when the row gets its number.
create table outbox (
    seq bigint generated always as identity primary key,
    id uuid not null default gen_random_uuid(),
    account_id text collate "C" not null,
    type text collate "C" not null,
    data jsonb not null,
    at timestamptz not null default now()
);

create index outbox_of_account on outbox (account_id, seq);

create function credit_event_of_opening() returns trigger language plpgsql security definer as $$
begin
    insert into outbox (account_id, type, data)
    values (new.user_id, 'credits.account.opened', jsonb_strip_nulls(jsonb_build_object(
        'status', new.status, 'reason', new.status_reason, 'tier', new.tier, 'balance', new.credits_remaining::text,
        'allocated', new.credits_allocated::text, 'unlimited', new.unlimited, 'period_end', new.last_reset)));
    return null;
end $$;

-- Writes the events of one changed account. `low` is the threshold that it fell below, or null.
create function credit_write_events(earlier user_credits, later user_credits, low numeric, is_exhausted boolean) returns void
    language plpgsql security definer as $$
begin
    insert into outbox (account_id, type, data)
    select later.user_id, e.type, jsonb_strip_nulls(
        e.data || jsonb_build_object('tier', later.tier, 'balance', later.credits_remaining::text))
    from (values
        (1, earlier.status <> later.status and later.status = 'active', 'credits.account.reopened',
            jsonb_build_object('status', later.status, 'previous', earlier.status)),
        (2, earlier.tier <> later.tier, 'tier.switched',
            jsonb_build_object('from', earlier.tier, 'to', later.tier, 'unlimited', later.unlimited)),
        (3, earlier.last_reset < later.last_reset and not earlier.grant_pending, 'credits.period.renewed',
            jsonb_build_object('allocated', later.credits_allocated::text, 'period_end', later.last_reset)),
        (4, low is not null, 'credits.low', jsonb_build_object('threshold', low::text)),
        (5, is_exhausted, 'credits.exhausted', '{}'::jsonb),
        (6, earlier.status <> later.status and later.status <> 'active', 'credits.account.' || later.status,
            jsonb_build_object('status', later.status, 'previous', earlier.status, 'reason', later.status_reason))
        ) as e (n, happened, type, data)
    where e.happened
    order by e.n;
end $$;

-- Runs at each charge, so it sets no search path: that would cost more than the rest of it. Instead it names the schema of all that it uses.
-- Its arguments are the highest threshold, and the thresholds by tier.
create function credit_event_of_change() returns trigger language plpgsql security definer as $$
declare
    threshold pg_catalog.numeric;
    low pg_catalog.numeric;
    is_exhausted pg_catalog.bool := false;
begin
    if new.credits_remaining operator(pg_catalog.<) old.credits_remaining
        and new.credits_remaining operator(pg_catalog.<=) tg_argv[0]::pg_catalog.numeric and not new.unlimited
    then
        threshold := (tg_argv[1]::pg_catalog.jsonb operator(pg_catalog.->>) new.tier)::pg_catalog.numeric;
        if new.credits_remaining operator(pg_catalog.<=) threshold and old.credits_remaining operator(pg_catalog.>) threshold then
            low := threshold;
        end if;
        is_exhausted := new.credits_remaining operator(pg_catalog.<=) 0::pg_catalog.numeric
            and old.credits_remaining operator(pg_catalog.>) 0::pg_catalog.numeric;
    end if;
    if is_exhausted or low is not null or old.status operator(pg_catalog.<>) new.status or old.tier operator(pg_catalog.<>) new.tier
        or old.last_reset operator(pg_catalog.<) new.last_reset
    then
        execute pg_catalog.format('select %I.credit_write_events($1, $2, $3, $4)', tg_table_schema) using old, new, low, is_exhausted;
    end if;
    return null;
end $$;

create function credit_event_of_entry() returns trigger language plpgsql security definer as $$
begin
    if new.transaction_type in ('bonus', 'purchase') and new.amount > 0 then
        insert into outbox (account_id, type, data)
        values (new.user_id, 'credits.granted', jsonb_strip_nulls(jsonb_build_object(
            'grant', coalesce(new.grant_key, 'tx:' || new.id), 'amount', new.amount::text, 'type', new.transaction_type,
            'reason', new.metadata ->> 'reason', 'balance', new.balance_after::text)));
    elsif new.transaction_type = 'adjustment' and new.grant_key like 'expire:%' then
        insert into outbox (account_id, type, data)
        values (new.user_id, 'credits.expired', jsonb_strip_nulls(jsonb_build_object(
            'grant', new.metadata ->> 'grant', 'amount', (-new.amount)::text, 'ended_at', new.metadata ->> 'ended_at',
            'balance', new.balance_after::text)));
    end if;
    return null;
end $$;

create function credit_event_of_notice() returns trigger language plpgsql security definer as $$
begin
    insert into outbox (account_id, type, data) values (new.user_id, 'credits.expiring', new.metadata);
    return null;
end $$;

-- Has changes of a table write events, or none where `low` is null, and says whether that was otherwise earlier. `low` has the thresholds by
-- tier. It runs as the owner of the tables, because the service's role makes no trigger else. One table a call: with the lock of one, while
-- another is waited for, writers would be met by a deadlock.
create function credit_switch_events(of_table text, low jsonb) returns boolean language plpgsql security definer set lock_timeout = '2s' as $$
declare
    needed constant integer := case when low is null then 0 when of_table = 'user_credits' then 2 else 1 end;
    right_ones integer;
    all_ones integer;
    old_one name;
    highest numeric;
begin
    if of_table not in ('user_credits', 'credit_transactions', 'audit_logs') then
        raise exception 'no events come from table %', of_table;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('credit_events:' || of_table, 0));
    select count(*) filter (where t.tgenabled = 'O' and obj_description(t.oid, 'pg_trigger') = low::text), count(*)
    into right_ones, all_ones
    from pg_trigger t
    where t.tgrelid = to_regclass(of_table) and starts_with(t.tgname, 'credit_event_');
    if right_ones = needed and all_ones = needed then
        return false;
    end if;
    for old_one in
        select t.tgname from pg_trigger t where t.tgrelid = to_regclass(of_table) and starts_with(t.tgname, 'credit_event_')
    loop
        execute format('drop trigger %I on %I', old_one, of_table);
    end loop;
    if low is null then
        return true;
    end if;
    if of_table = 'user_credits' then
        select greatest(coalesce(max(l.value::numeric), 0), 0) into highest from jsonb_each_text(low) l;
        create trigger credit_event_opened after insert on user_credits for each row execute function credit_event_of_opening();
        execute format(
            'create trigger credit_event_changed after update on user_credits for each row execute function credit_event_of_change(%L, %L)',
            highest, low);
        execute format('comment on trigger credit_event_opened on user_credits is %L', low);
        execute format('comment on trigger credit_event_changed on user_credits is %L', low);
    elsif of_table = 'credit_transactions' then
        create trigger credit_event_entered after insert on credit_transactions
            for each row when (new.transaction_type <> 'usage') execute function credit_event_of_entry();
        execute format('comment on trigger credit_event_entered on credit_transactions is %L', low);
    else
        create trigger credit_event_noticed after insert on audit_logs
            for each row when (new.action = 'credit.expiring') execute function credit_event_of_notice();
        execute format('comment on trigger credit_event_noticed on audit_logs is %L', low);
    end if;
    return true;
end $$;

-- No caller's search path decides which tables these functions mean.
do $$
declare
    signature text;
begin
    foreach signature in array array['credit_event_of_opening()', 'credit_event_of_entry()', 'credit_event_of_notice()',
        'credit_write_events(user_credits, user_credits, numeric, boolean)', 'credit_switch_events(text, jsonb)']
    loop
        execute format('alter function %s set search_path = %I, pg_temp', signature, current_schema());
    end loop;
end $$;

-- A role that may not change an account makes no event by calling these, or by a trigger of another table.
revoke execute on function credit_event_of_opening(), credit_event_of_change(), credit_event_of_entry(), credit_event_of_notice(),
    credit_write_events(user_credits, user_credits, numeric, boolean), credit_switch_events(text, jsonb) from public;
