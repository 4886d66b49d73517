alter table reconcile_runs
    -- Users seen a second since the run's process began or continued it, and how long the rest takes at this rate, when that can be said.
    add column per_second bigint,
    add column seconds_left bigint;
