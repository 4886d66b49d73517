-- The reading that the record came from before: a statement learns from it whether another one recorded the user meanwhile.
alter table keycloak_users add column previous_check timestamptz;
