-- additive: a program that writes both rows in one statement does so as before
-- A refusal outlives its hold: holds are deleted a while after their decision, and the key of a refused grant stays used up. `hold_id` may
-- name a hold that is deleted.
alter table refused_grants drop constraint refused_grants_hold_id_fkey;
