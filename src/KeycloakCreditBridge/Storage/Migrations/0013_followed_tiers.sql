-- The tier that Keycloak said last, where accounts follow it; null where it said none.
alter table keycloak_users add column tier text;
