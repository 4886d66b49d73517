-- The end of an account's period. `last_reset` is that end, despite its name. Accounts of the LLM path have their creation there and get
-- their first period from then on. Null where neither date is known.
create function credit_period_end(last_reset timestamptz, created_at timestamptz, period_seconds double precision) returns timestamptz
    language sql stable parallel safe as $$
        select case when coalesce(last_reset, created_at) <= created_at
            then coalesce(last_reset, created_at) + make_interval(secs => period_seconds) else last_reset end
    $$;

-- The time of an account's next ledger row: now, but after every row before, so that the ledger's order is the order of booking. A last
-- booking far in the future comes from a broken clock and is ignored.
create function credit_booking_time(asked_at timestamptz, last_booking timestamptz) returns timestamptz
    language sql stable parallel safe as $$
        select case when last_booking >= asked_at and last_booking < asked_at + interval '1 minute'
            then last_booking + interval '1 microsecond' else asked_at end
    $$;

-- What switches of an account's tier came to in the period that ends at pro_rated_until: the credits of the tier that is paid for (null when
-- the period began in an unlimited tier), and what steps down could not take.
alter table user_credits
    add column pro_rated_until timestamptz,
    add column pro_rated_credits numeric(20, 6),
    add column pro_rated_debt numeric(20, 6);

-- How much of a usage row was given back: never more than it took.
create table usage_refunds (
    transaction_id uuid primary key,
    taken numeric(20, 6) not null,
    refunded numeric(20, 6) not null,
    constraint usage_refunds_at_most_taken check (refunded <= taken)
);
