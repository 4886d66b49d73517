-- What a user's browser said at registration about where the user came from: a claim that any user can make. The first one stays.
create table attributions (
    user_id text collate "C" primary key,
    source text,
    medium text,
    campaign text,
    content text,
    term text,
    ref text,
    attributed_at timestamptz not null
);
