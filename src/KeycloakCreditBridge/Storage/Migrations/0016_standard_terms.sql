-- Columns are named as the documents name their values.
alter table keycloak_users rename column disposition to user_state;
alter table keycloak_users rename column glimpse to brief_fingerprint;
alter table keycloak_users rename constraint valid_disposition to valid_user_state;
alter table reconcile_runs rename column rejudge to re_evaluate;
alter index keycloak_users_undated rename to keycloak_users_outside_created_windows;
