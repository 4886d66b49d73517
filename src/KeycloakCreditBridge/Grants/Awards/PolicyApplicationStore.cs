using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>
/// Extends policies to accounts that were opened before their activation. Nothing is paid here: the accounts are evaluated again, and earn
/// what they meet the requirements of.
/// </summary>
internal sealed class PolicyApplicationStore(NpgsqlDataSource dataSource)
{
    // Two commands at once would each count what the other one allows.
    private const string LockSql =
        "select 1 from grant_policies where realm = @Realm and policy = @Policy and disabled_at is null for update";

    private const string Concerned =
        """
        from user_credits c
        left join credit_transactions s on s.user_id = c.user_id and s.grant_key = 'signup'
        join grant_policies p on p.realm = c.realm and p.policy = @Policy and p.disabled_at is null
        where c.realm = @Realm and c.created_at >= @CreatedAfter and c.created_at < p.activated_at and c.status <> 'closed'
            and c.keycloak_id is not null
        """;

    // What an account was opened with counts: it gets the rest.
    private const string WelcomeTargets =
        $"""
        select c.user_id, c.realm, c.keycloak_id, greatest(@Credits::numeric - s.amount, 0) as rest, @Most::numeric - s.amount as most
        {Concerned} and s.amount < @Most and c.withheld_credits is null and not c.unlimited and not c.grant_pending
            and (select t.user_id from credit_transactions t where t.user_id = c.user_id and t.grant_key = 'welcome') is null
        """;

    private const string CountWelcomeSql =
        $"select count(*) as accounts, coalesce(sum(w.most), 0) as credits from ({WelcomeTargets}) w";

    private const string CountTaskSql =
        $"""
        select count(*) as accounts, count(*) * @Credits::numeric as credits {Concerned}
            and (select t.user_id from credit_transactions t where t.user_id = c.user_id and t.grant_key = @Policy) is null
        """;

    private const string ApplyWelcomeSql =
        $"""
        with target as materialized (
            select w.* from ({WelcomeTargets}) w order by w.user_id collate "C"
        ),
        owed as (
            update user_credits c set withheld_credits = t.rest from target t where c.user_id = t.user_id and c.withheld_credits is null
            returning c.realm, c.keycloak_id
        )
        insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
        select o.realm, o.keycloak_id, @Policy, @Now from owed o
        on conflict (realm, keycloak_id, what) do nothing
        """;

    private const string ApplyTaskSql =
        $"""
        with evaluated as (
            insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
            select c.realm, c.keycloak_id, @Policy, @Now {Concerned}
            on conflict (realm, keycloak_id, what) do nothing
        )
        update grant_policies set activated_at = @CreatedAfter where realm = @Realm and policy = @Policy and activated_at > @CreatedAfter
        """;

    private const string AuditSql =
        """
        insert into audit_logs (timestamp, action, result, resource_type, metadata)
        values (@Now, 'policy.apply', 'success', 'grant_policies', jsonb_build_object('realm', @Realm::text, 'policy', @Policy::text,
            'created_after', @CreatedAfter::timestamptz, 'accounts', @Accounts::bigint, 'credits', (@Total::numeric)::text))
        """;

    /// <summary>Extends a policy, if that costs no more than is allowed.</summary>
    /// <returns>
    /// Which accounts it concerns and what they can earn, and whether it was done; null where the policy is not active in the realm.
    /// </returns>
    public async Task<PolicyCost?> ApplyAsync(PolicyApplication wanted, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var isWelcome = wanted.Policy == Policy.WelcomeTerms.Policy;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await connection.ExecuteScalarAsync<int?>(Command(LockSql, wanted, now)) is null)
            return null;
        var cost = await connection.QuerySingleAsync<PolicyCost>(Command(isWelcome ? CountWelcomeSql : CountTaskSql, wanted, now));
        if (cost.Accounts != wanted.Confirmed || cost.Credits > wanted.MaxCredits)
            return cost;
        await connection.ExecuteAsync(Command(isWelcome ? ApplyWelcomeSql : ApplyTaskSql, wanted, now));
        await connection.ExecuteAsync(new CommandDefinition(
            AuditSql,
            new
            {
                wanted.Realm, wanted.Policy, wanted.CreatedAfter, Now = now, cost.Accounts, Total = cost.Credits,
            },
            transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
        return cost with { IsApplied = true };

        CommandDefinition Command(string sql, PolicyApplication wanted, DateTimeOffset now) => new(
            sql, new { wanted.Realm, wanted.Policy, wanted.CreatedAfter, wanted.Credits, wanted.Most, Now = now }, transaction,
            cancellationToken: cancellationToken);
    }
}

/// <param name="Policy">`welcome`, or `task:` and a task's name.</param>
/// <param name="CreatedAfter">Only accounts that were opened since.</param>
/// <param name="Credits">What the policy pays an account in all, where no rule decides.</param>
/// <param name="Most">The most that it pays an account in all.</param>
/// <param name="MaxCredits">Nothing is done where all of them can earn more.</param>
/// <param name="Confirmed">How many accounts these are; where it is another number, or null, they are counted only.</param>
internal sealed record PolicyApplication(
    string Realm, string Policy, DateTimeOffset CreatedAfter, decimal Credits, decimal Most, decimal MaxCredits, long? Confirmed);

/// <param name="Credits">The most that these accounts can earn.</param>
internal sealed record PolicyCost(long Accounts, decimal Credits)
{
    public bool IsApplied { get; init; }
}
