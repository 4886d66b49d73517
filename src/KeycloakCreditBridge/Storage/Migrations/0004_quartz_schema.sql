-- Quartz makes its own tables; the schema they stand in has to be there first.
create schema if not exists quartz;
