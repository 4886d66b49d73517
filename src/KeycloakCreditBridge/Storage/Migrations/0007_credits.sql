-- What callers named their requests with, and what they were answered: the same request again gets the same answer.
create table idempotency_keys (
    caller text collate "C" not null,
    key text collate "C" not null,
    body_hash bytea not null,
    answer jsonb not null,
    kept_at timestamptz not null,
    primary key (caller, key)
);

create index idempotency_keys_kept on idempotency_keys (kept_at);

-- An account's ledger, newest first. Rows of grants are found by their key, so whoever opens a million accounts maintains no second
-- index. Rows that an existing installation left without a time stand at the end.
create index if not exists credit_transactions_recent on credit_transactions (user_id, coalesce(created_at, timestamptz '-infinity'), id)
    where grant_key is null;
