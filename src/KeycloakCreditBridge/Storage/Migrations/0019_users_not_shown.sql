-- Users on record that a run did not see: only those that Keycloak does not know when asked by id are deleted.
alter table reconcile_runs rename column gone to not_shown;
