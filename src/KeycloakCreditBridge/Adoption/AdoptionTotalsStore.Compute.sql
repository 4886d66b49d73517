-- What the ledgers of each user's accounts say, and what is to be done about it.
-- Of the openings of one account all but one are surplus. What of that is in the balance is taken back: nothing where the ledger without
-- the surplus explains the balance, nothing where the balance is more than the ledger explains. Of the openings of several accounts of one
-- user the greatest stands; an account without such a row was opened with what it was allocated. A grant that waited for a verified address
-- is part of its account's opening. A user with a ledger and no account has in the ledger what the account will be opened with.
insert into adopting_totals
-- member: the accounts of each group.
with member as (
    select g.grp, c.user_id, c.credits_remaining as balance, c.credits_allocated as allocated,
        g.realm is null or c.realm = g.realm and c.keycloak_id = g.keycloak_id as owned
    from adopting_groups g
    join adopting_members m on m.grp = g.grp
    join user_credits c on c.user_id = m.account_id
    where @Groups::bigint[] is null or g.grp = any (@Groups)
),
-- place: every id of each group, with an account or with a ledger alone.
place as (
    select grp, account_id as user_id from adopting_members where @Groups is null or grp = any (@Groups)
),
-- entry: the ledger rows of these ids.
entry as (
    select p.grp, p.user_id, t.id, t.amount, t.created_at, coalesce(t.grant_key = 'signup', false) as keyed,
        coalesce(t.grant_key = 'welcome', false) as welcomes,
        coalesce(t.grant_key = 'signup', t.transaction_type = 'purchase'
            and coalesce(t.metadata ->> 'reason' = 'initial_allocation', false)) as opens
    from place p
    join credit_transactions t on t.user_id = p.user_id
),
-- book: each ledger summed up: its openings, the one of them that stands, and what followed once the address was verified.
book as (
    select grp, user_id, sum(amount) as total, count(*) as entries, bool_or(keyed) as keyed, count(*) filter (where opens) as openings,
        sum(amount) filter (where opens) as opened, coalesce(sum(amount) filter (where welcomes), 0) as welcomed,
        (array_agg(id order by keyed desc, created_at nulls first, id) filter (where opens))[1] as kept,
        (array_agg(amount order by keyed desc, created_at nulls first, id) filter (where opens))[1] as kept_amount,
        min(created_at) filter (where opens) as opened_at
    from entry
    group by grp, user_id
),
-- account: each id with its account, its ledger and what is surplus in it.
account as (
    select p.grp, p.user_id, m.user_id is not null as present, coalesce(m.balance, 0) as balance, coalesce(b.total, 0) as total,
        coalesce(b.entries, 0) as entries, coalesce(m.owned, true) as owned, coalesce(b.keyed, false) as keyed, b.kept, b.opened_at,
        case when b.keyed then 0 else coalesce(b.openings - 1, 0) end as repeated,
        case when b.keyed then 0 else coalesce(b.opened - b.kept_amount, 0) end as surplus,
        case when m.user_id is not null then coalesce(b.kept_amount + b.welcomed, m.allocated) end as granted
    from place p
    left join member m on m.grp = p.grp and m.user_id = p.user_id
    left join book b on b.grp = p.grp and b.user_id = p.user_id
),
-- summed: the same for each group.
summed as (
    select g.grp, g.realm, g.keycloak_id, g.target, g.survivor, g.best, count(*) filter (where a.present) as members,
        case when bool_or(a.present) then sum(a.balance) else sum(a.total - a.surplus) end as balance, sum(a.total) as total,
        sum(a.entries)::bigint as entries, sum(greatest(a.repeated, 0))::bigint as repeated,
        bool_or(a.present and a.entries > 0 and a.total <> a.balance) as mismatched, bool_and(a.owned) as owned,
        (array_agg(a.kept order by a.keyed desc, a.user_id = g.target desc, a.opened_at nulls first, a.user_id)
            filter (where a.kept is not null))[1]
            as kept,
        bool_or(a.keyed and a.user_id = g.target) as keyed,
        case when g.realm is null then 0 else
            coalesce(sum(least(greatest(a.balance - (a.total - a.surplus), 0), a.surplus))
                filter (where a.present and a.surplus > 0 and a.balance <= a.total), 0)
            + coalesce(sum(a.granted) - max(a.granted), 0) end as owed
    from adopting_groups g
    join account a on a.grp = g.grp
    group by g.grp, g.realm, g.keycloak_id, g.target, g.survivor, g.best
    having bool_or(a.present) or bool_or(a.kept is not null)
),
-- decided: what is taken back, and what has to be entered as opening.
decided as (
    select s.*, least(s.owed, greatest(s.balance, 0)) as taken,
        case when s.kept is null then greatest(s.balance - s.total, 0) else 0 end as opening,
        s.realm is null or s.members = 0 or s.owned and exists (
            select from keycloak_users k where k.realm = s.realm and k.keycloak_id = s.keycloak_id and k.account_id = s.target) as marked
    from summed s
)
select grp, realm, keycloak_id, target, survivor, best, members, balance, total, entries, repeated, mismatched, kept, keyed, marked, owed,
    taken, opening,
    balance - taken - total - opening,
    members > 1 or members = 1 and survivor <> target or not keyed or not marked or balance - taken - total - opening <> 0
from decided
