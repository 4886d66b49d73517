using Dapper;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Adoption;

/// <summary>Sums the accounts and ledgers of each user, and decides what is to be done. An account without an owner stands alone.</summary>
internal sealed class AdoptionTotalsStore(NpgsqlConnection connection)
{
    private const string TotalsTableSql =
        """
        create temporary table adopting_totals (
            grp bigint primary key, realm text collate "C", keycloak_id text collate "C", target text collate "C" not null,
            survivor text collate "C" not null, best text collate "C" not null, members bigint not null, balance numeric not null,
                total numeric not null,
            entries bigint not null, repeated bigint not null, mismatched boolean not null, kept uuid, keyed boolean not null,
                marked boolean not null,
            owed numeric not null, taken numeric not null, opening numeric not null, change numeric not null, due boolean not null)
        """;

    private static readonly string ComputeSql = SqlText.Of(typeof(AdoptionTotalsStore), "AdoptionTotalsStore.Compute.sql");

    private const string DueSql = "select grp from adopting_totals where due order by target";

    // Each kind of finding, with its first examples.
    private const string FindingsSql =
        $$"""
        with finding as (
            select 'duplicates' as name, f.target as id,
                f.target || ': '
                    || (select string_agg(m.account_id, ' + ' order by m.account_id) from adopting_members m where m.grp = f.grp) as shown
            from adopting_totals f where f.members > 1
            union all
            select 'renamed', target, survivor || ' to ' || target from adopting_totals where members = 1 and survivor <> target
            union all
            select 'repeated_openings', target, format('%s: %s openings too many', target, repeated) from adopting_totals where repeated > 0
            union all
            select 'without_ledger', target, target from adopting_totals where entries = 0
            union all
            select 'without_opening', target, target from adopting_totals where entries > 0 and kept is null
            union all
            select 'without_account', target, target from adopting_totals where members = 0 and due
            union all
            select 'mismatched', target, format('%s: balance %s, ledger %s', target, balance, total) from adopting_totals where mismatched
            union all
            select 'taken_back', target, format('%s: %s of %s', target, taken, owed) from adopting_totals where due and owed > 0
            union all
            select 'ending', target, format('%s: at most %s', target, balance - taken)
            from adopting_totals f where @Ends::boolean and balance > taken and {{AdoptionGrantStore.IsFresh}}
            union all
            select 'unmarked', target, target from adopting_totals where not marked
            union all
            select ownership, account_id, account_id from adopting_members where ownership <> 'owned' and present
            union all
            select 'uuid_ids', account_id, account_id from adopting_members where present
                and account_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            union all
            select 'address_ids', account_id, account_id from adopting_members where present and account_id like '%@%'
        ),
        ranked as (select name, shown, count(*) over (partition by name) as count,
            row_number() over (partition by name order by id) as place from finding)
        select name, count, array_agg(shown order by place) as first from ranked where place <= @Limit::int group by name, count
        """;

    private const string TotalsSql =
        """
        select (select count(*) from adopting_users) as users, (select count(*) from adopting_members where present) as accounts,
            count(*) filter (where due) as due, coalesce(sum(taken) filter (where due), 0) as taken_back,
            coalesce(sum(owed - taken) filter (where due), 0) as not_taken_back
        from adopting_totals
        """;

    public Task BeginAsync(CancellationToken cancellationToken) =>
        connection.ExecuteAsync(new CommandDefinition(TotalsTableSql, cancellationToken: cancellationToken));

    /// <summary>Computes the totals from the current state.</summary>
    /// <param name="groups">The groups; all of them when null.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public async Task ComputeAsync(long[]? groups, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(new CommandDefinition("truncate adopting_totals", cancellationToken: cancellationToken));
        await connection.ExecuteAsync(
            new CommandDefinition(ComputeSql, new { Groups = groups }, commandTimeout: 0, cancellationToken: cancellationToken));
    }

    /// <summary>Groups for which there is something to do.</summary>
    public async Task<long[]> DueAsync(CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<long>(new CommandDefinition(DueSql, cancellationToken: cancellationToken))];

    /// <summary>The findings, each kind with its first examples.</summary>
    /// <param name="limit">How many examples.</param>
    /// <param name="ends">Whether adopted credits get an end.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public async Task<IReadOnlyList<AdoptionFinding>> FindingsAsync(int limit, bool ends, CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<AdoptionFinding>(new CommandDefinition(
            FindingsSql, new { Limit = limit, Ends = ends }, commandTimeout: 0, cancellationToken: cancellationToken))];

    public Task<AdoptionTotals> TotalsAsync(CancellationToken cancellationToken) =>
        connection.QuerySingleAsync<AdoptionTotals>(
            new CommandDefinition(TotalsSql, commandTimeout: 0, cancellationToken: cancellationToken));
}

/// <summary>A kind of finding.</summary>
internal sealed record AdoptionFinding
{
    public required string Name { get; init; }

    public required long Count { get; init; }

    /// <summary>The first examples, as text.</summary>
    public required string[] First { get; init; }
}

/// <param name="Users">Users in Keycloak.</param>
/// <param name="Accounts">Accounts, with and without an owner.</param>
/// <param name="Due">Users, and accounts without an owner, for which there is something to do.</param>
/// <param name="TakenBack">Credits that were granted more than once and are still in the balance.</param>
/// <param name="NotTakenBack">Credits that were granted more than once and are spent.</param>
internal sealed record AdoptionTotals(long Users, long Accounts, long Due, decimal TakenBack, decimal NotTakenBack);
