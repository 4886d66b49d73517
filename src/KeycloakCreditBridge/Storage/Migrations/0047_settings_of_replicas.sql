-- What the settings of a replica come to, so that replicas with different settings are noticed. Null: its program does not say.
alter table replicas add column settings text;
