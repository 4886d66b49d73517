using Dapper;
using KeycloakCreditBridge.Storage.Replicas;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>Since when policies are active, and which are disabled.</summary>
internal sealed class PolicyStore(NpgsqlDataSource dataSource)
{
    /// <summary>The migration without which a replica pays what a policy withholds.</summary>
    public const int Migration = 65;

    private const string IsActiveSql = "select exists (select from grant_policies where realm = @Realm and policy = @Policy)";

    private const string ActivateSql =
        """
        insert into grant_policies (realm, policy, activated_at) values (@Realm, @Policy, @Now)
        on conflict (realm, policy) do nothing
        """;

    private const string ListSql = "select realm, policy, activated_at, disabled_at from grant_policies order by realm, policy";

    private const string SwitchSql =
        """
        with switched as (
            update grant_policies set disabled_at = @DisabledAt
            where policy = @Policy and realm = any (@Realms) and (disabled_at is null) = (@DisabledAt::timestamptz is not null)
            returning realm
        ),
        audited as (
            insert into audit_logs (timestamp, action, result, resource_type, metadata)
            select @Now, case when @DisabledAt is null then 'policy.enable' else 'policy.disable' end, 'success', 'grant_policies',
                jsonb_build_object('realm', realm, 'policy', @Policy::text)
            from switched
        )
        select realm from switched order by realm collate "C"
        """;

    private const string GrantsSql =
        """
        select c.realm, g.user_id as account_id, g.grant_key as key, g.amount
        from credit_grants g
        join user_credits c on c.user_id = g.user_id
        where g.policy = @Policy and g.granted_at >= @From and g.granted_at < @Until and g.closed_at is null and c.realm = any (@Realms)
        order by g.user_id collate "C", g.grant_key collate "C"
        """;

    private const string HoldersSql =
        """
        select count(*) filter (where exists (
                select from credit_transactions t where t.user_id = c.user_id and t.grant_key = @Task)) as holders,
            count(*) as accounts
        from user_credits c
        where c.realm = @Realm
        """;

    /// <summary>Records that a policy is active from now on, if it never was.</summary>
    /// <returns>Replicas of an older program: while there are any the policy is not activated.</returns>
    public async Task<IReadOnlyList<Replica>> ActivateAsync(
        string realm, string policy, int migration, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        if (await connection.ExecuteScalarAsync<bool>(
            new CommandDefinition(IsActiveSql, new { Realm = realm, Policy = policy }, cancellationToken: cancellationToken)))
            return [];
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await ReplicaStore.LockLackingAsync(connection, migration, cancellationToken) is { Count: > 0 } older)
            return older;
        await connection.ExecuteAsync(
            new CommandDefinition(ActivateSql, new { Realm = realm, Policy = policy, Now = now }, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
        return [];
    }

    /// <summary>All policies that were ever active.</summary>
    public async Task<IReadOnlyList<ActivePolicy>> ListAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ActivePolicy>(new CommandDefinition(ListSql, cancellationToken: cancellationToken))];
    }

    /// <summary>Ends new grants of a policy in all replicas, or lets it give grants again.</summary>
    /// <param name="policy">Such as `welcome`.</param>
    /// <param name="realms">Where.</param>
    /// <param name="disables">Whether it ends them.</param>
    /// <param name="now">When.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <returns>The realms where that changed something.</returns>
    public async Task<IReadOnlyList<string>> SwitchAsync(
        string policy, string[] realms, bool disables, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(new CommandDefinition(
            SwitchSql, new { Policy = policy, Realms = realms, DisabledAt = disables ? now : (DateTimeOffset?)null, Now = now },
            cancellationToken: cancellationToken))];
    }

    /// <summary>How many accounts of a realm were paid for a task, of how many.</summary>
    /// <param name="realm">The realm.</param>
    /// <param name="task">The key of its grant.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public async Task<(long Holders, long Accounts)> HoldersAsync(string realm, string task, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<(long, long)>(
            new CommandDefinition(HoldersSql, new { Realm = realm, Task = task }, cancellationToken: cancellationToken));
    }

    /// <summary>Open grants that a policy gave within a time, the end excluded.</summary>
    public async Task<IReadOnlyList<PolicyGrant>> GrantsAsync(
        string policy, string[] realms, DateTimeOffset from, DateTimeOffset until, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<PolicyGrant>(new CommandDefinition(
            GrantsSql, new { Policy = policy, Realms = realms, From = from, Until = until }, cancellationToken: cancellationToken))];
    }
}

/// <summary>A grant that a policy gave.</summary>
internal sealed record PolicyGrant(string Realm, string AccountId, string Key, decimal Amount);

/// <param name="ActivatedAt">It concerns accounts that were opened since.</param>
/// <param name="DisabledAt">Since when it gives nothing; null while it does.</param>
internal sealed record ActivePolicy(string Realm, string Policy, DateTimeOffset ActivatedAt, DateTimeOffset? DisabledAt);
