-- additive: older programs write ways that the wider rule allows too
alter table deliveries drop constraint valid_way;
alter table deliveries add constraint valid_way check (way in ('webhook', 'poll', 'broker')) not valid;
