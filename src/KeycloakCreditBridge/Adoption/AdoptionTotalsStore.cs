using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Adoption;

/// <summary>What the books of each person's accounts say, and what is to be done about it. An account that is nobody's stands for itself.</summary>
internal sealed class AdoptionTotalsStore(NpgsqlConnection connection)
{
    private const string TotalsTableSql =
        """
        create temporary table adopting_figures (
            grp bigint primary key, realm text collate "C", keycloak_id text collate "C", target text collate "C" not null,
            survivor text collate "C" not null, best text collate "C" not null, members bigint not null, balance numeric not null, total numeric not null,
            entries bigint not null, repeated bigint not null, mismatched boolean not null, kept uuid, keyed boolean not null, marked boolean not null,
            owed numeric not null, taken numeric not null, opening numeric not null, change numeric not null, due boolean not null)
        """;

    // Of the openings of one account all but one are surplus. What of that is in the balance is taken back: nothing where the ledger without
    // the surplus explains the balance, nothing where the balance is more than the ledger explains. Of the openings of several accounts of one
    // person the greatest stands; an account without such a row was opened with what it was allocated. Somebody with a ledger and no account has
    // in it what the account will be opened with.
    private const string ComputeSql =
        """
        insert into adopting_figures
        with member as (
            select g.grp, c.user_id, c.credits_remaining as balance, c.credits_allocated as allocated,
                g.realm is null or c.realm = g.realm and c.keycloak_id = g.keycloak_id as owned
            from adopting_groups g
            join adopting_members m on m.grp = g.grp
            join user_credits c on c.user_id = m.account_id
            where @Groups::bigint[] is null or g.grp = any (@Groups)
        ),
        place as (
            select grp, account_id as user_id from adopting_members where @Groups is null or grp = any (@Groups)
        ),
        entry as (
            select p.grp, p.user_id, t.id, t.amount, t.created_at, coalesce(t.grant_key = 'signup', false) as keyed,
                coalesce(t.grant_key = 'signup', t.transaction_type = 'purchase' and coalesce(t.metadata ->> 'reason' = 'initial_allocation', false)) as opens
            from place p
            join credit_transactions t on t.user_id = p.user_id
        ),
        book as (
            select grp, user_id, sum(amount) as total, count(*) as entries, bool_or(keyed) as keyed, count(*) filter (where opens) as openings,
                sum(amount) filter (where opens) as opened,
                (array_agg(id order by keyed desc, created_at nulls first, id) filter (where opens))[1] as kept,
                (array_agg(amount order by keyed desc, created_at nulls first, id) filter (where opens))[1] as kept_amount,
                min(created_at) filter (where opens) as opened_at
            from entry
            group by grp, user_id
        ),
        account as (
            select p.grp, p.user_id, m.user_id is not null as present, coalesce(m.balance, 0) as balance, coalesce(b.total, 0) as total,
                coalesce(b.entries, 0) as entries, coalesce(m.owned, true) as owned, coalesce(b.keyed, false) as keyed, b.kept, b.opened_at,
                case when b.keyed then 0 else coalesce(b.openings - 1, 0) end as repeated,
                case when b.keyed then 0 else coalesce(b.opened - b.kept_amount, 0) end as surplus,
                case when m.user_id is not null then coalesce(b.kept_amount, m.allocated) end as granted
            from place p
            left join member m on m.grp = p.grp and m.user_id = p.user_id
            left join book b on b.grp = p.grp and b.user_id = p.user_id
        ),
        summed as (
            select g.grp, g.realm, g.keycloak_id, g.target, g.survivor, g.best, count(*) filter (where a.present) as members,
                case when bool_or(a.present) then sum(a.balance) else sum(a.total - a.surplus) end as balance, sum(a.total) as total, sum(a.entries)::bigint as entries, sum(greatest(a.repeated, 0))::bigint as repeated,
                bool_or(a.present and a.entries > 0 and a.total <> a.balance) as mismatched, bool_and(a.owned) as owned,
                (array_agg(a.kept order by a.keyed desc, a.user_id = g.target desc, a.opened_at nulls first, a.user_id) filter (where a.kept is not null))[1]
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
        decided as (
            select s.*, least(s.owed, greatest(s.balance, 0)) as taken, case when s.kept is null then greatest(s.balance - s.total, 0) else 0 end as opening,
                s.realm is null or s.members = 0 or s.owned and exists (
                    select from keycloak_users k where k.realm = s.realm and k.keycloak_id = s.keycloak_id and k.account_id = s.target) as marked
            from summed s
        )
        select grp, realm, keycloak_id, target, survivor, best, members, balance, total, entries, repeated, mismatched, kept, keyed, marked, owed, taken, opening,
            balance - taken - total - opening,
            members > 1 or members = 1 and survivor <> target or not keyed or not marked or balance - taken - total - opening <> 0
        from decided
        """;

    private const string DueSql = "select grp from adopting_figures where due order by target";

    // One look at everything, in the order in which it is reported.
    private const string FindingsSql =
        """
        with finding as (
            select 'twins' as name, f.target as id,
                f.target || ': ' || (select string_agg(m.account_id, ' + ' order by m.account_id) from adopting_members m where m.grp = f.grp) as shown
            from adopting_figures f where f.members > 1
            union all
            select 'renamed', target, survivor || ' to ' || target from adopting_figures where members = 1 and survivor <> target
            union all
            select 'repeated_openings', target, format('%s: %s openings too many', target, repeated) from adopting_figures where repeated > 0
            union all
            select 'without_ledger', target, target from adopting_figures where entries = 0
            union all
            select 'without_opening', target, target from adopting_figures where entries > 0 and kept is null
            union all
            select 'without_account', target, target from adopting_figures where members = 0 and due
            union all
            select 'mismatched', target, format('%s: balance %s, ledger %s', target, balance, total) from adopting_figures where mismatched
            union all
            select 'taken_back', target, format('%s: %s of %s', target, taken, owed) from adopting_figures where due and owed > 0
            union all
            select 'unmarked', target, target from adopting_figures where not marked
            union all
            select standing, account_id, account_id from adopting_members where standing <> 'owned' and present
            union all
            select 'uuid_ids', account_id, account_id from adopting_members where present and account_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            union all
            select 'address_ids', account_id, account_id from adopting_members where present and account_id like '%@%'
        ),
        ranked as (select name, shown, count(*) over (partition by name) as count, row_number() over (partition by name order by id) as place from finding)
        select name, count, array_agg(shown order by place) as first from ranked where place <= @Limit::int group by name, count
        """;

    private const string TotalsSql =
        """
        select (select count(*) from adopting_people) as people, (select count(*) from adopting_members where present) as accounts,
            count(*) filter (where due) as due, coalesce(sum(taken) filter (where due), 0) as taken_back,
            coalesce(sum(owed - taken) filter (where due), 0) as not_taken_back
        from adopting_figures
        """;

    public Task BeginAsync(CancellationToken cancellationToken) =>
        connection.ExecuteAsync(new CommandDefinition(TotalsTableSql, cancellationToken: cancellationToken));

    /// <summary>Looks at the books as they are now.</summary>
    /// <param name="groups">Whose; everybody's when null.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public async Task ComputeAsync(long[]? groups, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(new CommandDefinition("truncate adopting_figures", cancellationToken: cancellationToken));
        await connection.ExecuteAsync(new CommandDefinition(ComputeSql, new { Groups = groups }, commandTimeout: 0, cancellationToken: cancellationToken));
    }

    /// <summary>Those for whom something is to be done.</summary>
    public async Task<long[]> DueAsync(CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<long>(new CommandDefinition(DueSql, cancellationToken: cancellationToken))];

    /// <summary>What was found, each kind with its first few.</summary>
    public async Task<IReadOnlyList<AdoptionFinding>> FindingsAsync(int limit, CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<AdoptionFinding>(
            new CommandDefinition(FindingsSql, new { Limit = limit }, commandTimeout: 0, cancellationToken: cancellationToken))];

    public Task<AdoptionTotals> TotalsAsync(CancellationToken cancellationToken) =>
        connection.QuerySingleAsync<AdoptionTotals>(new CommandDefinition(TotalsSql, commandTimeout: 0, cancellationToken: cancellationToken));
}

/// <summary>A kind of thing that was found.</summary>
internal sealed record AdoptionFinding
{
    public required string Name { get; init; }

    public required long Count { get; init; }

    /// <summary>The first few of them, for a person to read.</summary>
    public required string[] First { get; init; }
}

/// <param name="People">People that Keycloak has.</param>
/// <param name="Accounts">Accounts, of whomever.</param>
/// <param name="Due">People, and accounts of nobody, for whom something is to be done.</param>
/// <param name="TakenBack">Credits that were granted more than once and are still there.</param>
/// <param name="NotTakenBack">Credits that were granted more than once and are spent.</param>
internal sealed record AdoptionTotals(long People, long Accounts, long Due, decimal TakenBack, decimal NotTakenBack);
