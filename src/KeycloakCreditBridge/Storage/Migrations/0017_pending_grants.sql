-- True while the opening grant waits for a verified address: where it is given once for each address, an unverified one opens with nothing.
alter table user_credits add column grant_pending boolean not null default false;
