-- Finds records that were refused long ago, and costs next to nothing when new ones are written.
create index usage_refusals_refused on usage_refusals using brin (refused_at) with (autosummarize = on);
