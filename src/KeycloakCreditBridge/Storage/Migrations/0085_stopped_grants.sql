-- Each grant that is paid asks whether it is stopped. `state = 'held'` would let a plan that was made for an empty table read all undecided
-- holds for it; other words for the same find those of the user alone.
create or replace view stopped_grants as
    select h.user_id, h.grant_key from grant_holds h where h.state not in ('approved', 'rejected', 'lapsed')
    union all
    select r.user_id, r.grant_key from refused_grants r;
