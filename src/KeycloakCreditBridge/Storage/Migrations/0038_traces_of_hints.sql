-- The trace that a hint came in with, so that its evaluation and its commit are seen in the same one, in whichever replica.
alter table user_hints add column traceparent text;
