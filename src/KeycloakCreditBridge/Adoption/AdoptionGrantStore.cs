using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Adoption;

/// <summary>Has what was decided for grants follow the ledgers of joined accounts.</summary>
internal static class AdoptionGrantStore
{
    // A stamp follows its ledger row to the row's new key.
    private const string GrantsSql =
        """
        update credit_grants g
        set user_id = f.target, grant_key = coalesce((
            select t.grant_key from credit_transactions t
            where t.user_id = f.target and t.grant_key = g.grant_key || ':' || g.user_id), g.grant_key)
        from adopting_totals f
        join adopting_members m on m.grp = f.grp
        where f.due and m.account_id <> f.target and g.user_id = m.account_id
        """;

    private const string EndsSql =
        """
        update user_credits c
        set next_expiry = (select min(g.expires_at) from credit_grants g where g.user_id = c.user_id and g.closed_at is null)
        from adopting_totals f
        where f.due and f.members > 1 and c.user_id = f.target
        """;

    private const string CheckpointsSql =
        """
        delete from lot_checkpoints l
        using adopting_totals f, adopting_members m
        where f.due and m.grp = f.grp and l.user_id in (m.account_id, f.target)
        """;

    /// <summary>Whether neither the bridge nor an earlier adoption marked an opening grant in any account of the group f.</summary>
    public const string IsFresh =
        """
        f.due and f.members > 0 and not exists (
            select from adopting_members m join credit_transactions t on t.user_id = m.account_id and t.grant_key = 'signup'
            where m.grp = f.grp)
        """;

    private const string FreshSql = $"select f.target from adopting_totals f where {IsFresh} order by f.target";

    /// <summary>The statements, in their order, behind that which joins the ledgers.</summary>
    public static readonly string[] Steps = [GrantsSql, EndsSql, CheckpointsSql];

    /// <summary>The accounts to adopt that are <see cref="IsFresh"/>.</summary>
    public static async Task<IReadOnlyList<string>> FreshAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<string>(new CommandDefinition(FreshSql, cancellationToken: cancellationToken))];
}
