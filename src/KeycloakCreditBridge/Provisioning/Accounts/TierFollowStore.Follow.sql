-- Switches accounts whose tier in Keycloak differs from the one on record. It runs in the transaction that converged the same users and
-- holds their records: the newest reading is on record then. A tier is applied when it changes, so an account that an operator switched
-- meanwhile keeps its tier. A user without an account has no tier on record; its first account opens with the tier of that reading.

-- due: the users whose mapped tier is not the one on record.
with due as (
    select j.*, k.account_id, k.user_state, c.tier, case when k.user_state in ('account', 'held') then j.mapped_tier end as mapped_tier_now
    from unnest(@Realms::text[], @KeycloakIds::text[], @ReadAts::timestamptz[], @MappedTiers::text[], @ToTiers::text[], @Credits::numeric[],
            @Caps::numeric[], @Unlimited::boolean[], @Sources::text[])
        as j (realm, keycloak_id, read_at, mapped_tier, to_tier, credits, cap, to_unlimited, source)
    join keycloak_users k on k.realm = j.realm and k.keycloak_id = j.keycloak_id
    left join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
    where k.checked_at <= j.read_at and (k.user_state = 'excluded' or k.user_state in ('account', 'held') and c.status <> 'closed')
        and k.tier is distinct from case when k.user_state in ('account', 'held') then j.mapped_tier end
    offset 0
),
-- target: the accounts to switch.
target as (
    select account_id as user_id, to_tier, credits, cap, to_unlimited, 'keycloak' as switched_by, source as trigger_source,
        null::text as client_address
    from due
    where user_state in ('account', 'held') and tier <> to_tier
),
{switch_accounts},
-- recorded: the records with their new tier.
recorded as (
    update keycloak_users k set tier = d.mapped_tier_now from due d where k.realm = d.realm and k.keycloak_id = d.keycloak_id
)
select user_id as account_id, earlier, tier, credits_remaining as balance, realm, keycloak_id from switched order by user_id collate "C"
