-- additive: older programs find by the other indexes what they read.
-- A look-up of one network must never be answered by the index of all networks by time, which takes time as the realm grows: a plan that was
-- made for an empty table cannot tell the two apart. The condition, which holds for every row, keeps that index to statements that name it.
create index fraud_origins_lately on fraud_origins (realm, registered_at) include (network) where in_hour >= 0;
drop index fraud_origins_by_time;

create index fraud_origins_proxies on fraud_origins (realm, network, registered_at) where missing = 'proxy';
