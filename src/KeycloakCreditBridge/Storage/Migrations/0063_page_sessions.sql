-- Operators who are signed in. The cookie's text is not stored, only its digest; tokens of Keycloak are encrypted with Page:KeysSecret.
create table page_sessions (
    id_hash bytea primary key,
    subject text collate "C" not null,
    user_name text not null,
    -- Keycloak's session, which a back-channel logout names.
    keycloak_session text collate "C",
    roles text[] not null,
    -- When Keycloak last named these roles.
    roles_at timestamptz not null,
    -- What forms of this session carry.
    form_token text not null,
    tokens bytea not null,
    created_at timestamptz not null,
    seen_at timestamptz not null
);

create index page_sessions_subject on page_sessions (subject);
create index page_sessions_keycloak on page_sessions (keycloak_session);
