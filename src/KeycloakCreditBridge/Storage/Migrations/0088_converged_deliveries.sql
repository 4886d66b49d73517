-- additive: older programs write outcomes that the wider rule allows too
alter table deliveries drop constraint valid_outcome;
alter table deliveries add constraint valid_outcome check (outcome in ('converged', 'stored', 'ignored', 'refused', 'not_stored')) not valid;
