using Dapper;
using KeycloakCreditBridge.Storage;
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

    private static readonly string ComputeSql = SqlText.Of(typeof(AdoptionTotalsStore), "AdoptionTotalsStore.Compute.sql");

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
