-- What was spent and opened in a day is summed without reading all rows. Block ranges cost a write nearly nothing, and are made in seconds for
-- millions of rows.
create index credit_transactions_time on credit_transactions using brin (created_at) with (autosummarize = on);
create index audit_logs_time on audit_logs using brin (timestamp) with (autosummarize = on);
