-- What happened to one account, newest first, is asked for by operators.
create index if not exists audit_logs_user on audit_logs (user_id, timestamp);
