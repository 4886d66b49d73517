-- Referrals are listed and counted by state, the latest first.
create index referrals_by_state on referrals (state, touched_at desc, id desc);

create index referrals_by_time on referrals (touched_at desc, id desc);
