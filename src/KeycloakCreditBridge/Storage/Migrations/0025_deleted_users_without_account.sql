-- Records of deleted users that never had an account. They are deleted after a day.
create index keycloak_users_deleted_without_account on keycloak_users (realm, keycloak_id)
    where user_state = 'deleted' and account_id is null;
