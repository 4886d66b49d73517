using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Balances as the API answers them.</summary>
internal sealed class BalanceStore(NpgsqlDataSource dataSource)
{
    /// <summary>
    /// The account that @User, Keycloak's id or an account's, means to callers of @Realm: never one of another realm's people, and where
    /// somebody asks for their own, none of anybody else. One that nobody is known to own can be reached from every realm.
    /// </summary>
    internal const string Target =
        """
        select t.* from user_credits t
        where t.user_id = coalesce(
                (select k.account_id from keycloak_users k where k.realm = @Realm::text and k.keycloak_id = @User::text), @User)
            and case when t.realm is null
                then not exists (select from keycloak_users o where o.realm = any (@OtherRealms::text[]) and o.keycloak_id = t.user_id)
                else t.realm = @Realm and (not @IsOwn::boolean or t.keycloak_id = @User) end
        """;

    /// <summary>The balance of account c. Both sets of names that callers use, amounts as text with six decimals.</summary>
    internal const string Balance =
        """
        jsonb_build_object(
            'user_id', c.user_id,
            'balance', c.credits_remaining::text, 'credits_remaining', c.credits_remaining::text,
            'allocated_monthly', c.credits_allocated::text, 'credits_allocated', c.credits_allocated::text,
            'bonus_credits', greatest(c.credits_remaining - c.credits_allocated, 0)::numeric(20, 6)::text, 'free_tier_used', '0.000000',
            'reset_date', to_char(c.last_reset at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'last_reset', to_char(c.last_reset at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'last_updated', to_char(c.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'updated_at', to_char(c.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'created_at', to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'tier', c.tier, 'monthly_cap', c.monthly_cap::text, 'unlimited', c.unlimited, 'status', c.status)
        """;

    private const string BalanceSql = $"select ({Balance})::text as answer from ({Target}) c";

    private const string LlmBalanceSql =
        $"""
        select jsonb_build_object('user_id', c.user_id, 'credits_remaining', c.credits_remaining::text, 'tier', c.tier,
            'monthly_cap', c.monthly_cap::text)::text as answer
        from ({Target}) c
        """;

    /// <summary>The balance as JSON; null when there is no such account for callers of this realm.</summary>
    public Task<string?> BalanceAsync(AccountReach reach, CancellationToken cancellationToken) => FindAsync(BalanceSql, reach, cancellationToken);

    /// <summary>The balance as JSON of the shape that LLM gateways read.</summary>
    public Task<string?> LlmBalanceAsync(AccountReach reach, CancellationToken cancellationToken) => FindAsync(LlmBalanceSql, reach, cancellationToken);

    private async Task<string?> FindAsync(string sql, AccountReach reach, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<Row>(sql, reach.Parameters(), cancellationToken);
        return rows.Count == 0 ? null : rows[0].Answer;
    }

    private sealed record Row(string Answer);
}

/// <summary>Which account is meant, and by whom.</summary>
/// <param name="Realm">The caller's realm.</param>
/// <param name="User">Keycloak's id of a user of that realm, or an account's id.</param>
/// <param name="IsOwn">It must be the user's own.</param>
/// <param name="OtherRealms">All other configured realms, whose people's accounts are out of reach.</param>
internal sealed record AccountReach(string Realm, string User, bool IsOwn, string[] OtherRealms)
{
    /// <summary>As statements with <see cref="BalanceStore.Target"/> take it.</summary>
    public NpgsqlParameter[] Parameters() =>
    [
        new("Realm", NpgsqlDbType.Text) { Value = Realm },
        new("User", NpgsqlDbType.Text) { Value = User },
        new("IsOwn", NpgsqlDbType.Boolean) { Value = IsOwn },
        new("OtherRealms", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = OtherRealms },
    ];
}
