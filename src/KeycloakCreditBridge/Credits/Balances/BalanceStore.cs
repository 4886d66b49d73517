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
    internal const string SelectedAccount =
        """
        select t.* from user_credits t
        where t.user_id = coalesce(
                (select k.account_id from keycloak_users k where k.realm = @Realm::text and k.keycloak_id = @User::text), @User)
            and case when t.realm is null
                then not exists (select from keycloak_users o where o.realm = any (@OtherRealms::text[]) and o.keycloak_id = t.user_id)
                else t.realm = @Realm and (not @IsOwn::boolean or t.keycloak_id = @User) end
        """;

    /// <summary>The balance of account c. Both sets of names that callers use, amounts as text with six decimals.</summary>
    internal const string BalanceJson =
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

    private const string BalanceSql =
        $"""
        select c.user_id as account_id, convert_to(({BalanceJson})::text, 'UTF8') as answer,
            convert_to(jsonb_build_object('user_id', c.user_id, 'credits_remaining', c.credits_remaining::text, 'tier', c.tier,
                'monthly_cap', c.monthly_cap::text)::text, 'UTF8') as llm_answer,
            c.credits_remaining, c.unlimited, c.status, c.status_reason, c.last_reset as period_end
        from ({SelectedAccount}) c
        """;

    /// <summary>The balance as it is now; null when there is no such account for callers of this realm.</summary>
    public async Task<AccountBalance?> FindAsync(AccountSelector reach, CancellationToken cancellationToken) =>
        await dataSource.QueryPreparedAsync<AccountBalance>(BalanceSql, reach.Parameters(), cancellationToken) is [var balance] ? balance : null;
}

/// <summary>What an account has.</summary>
internal sealed record AccountBalance
{
    public string AccountId { get; init; } = "";

    /// <summary>As it is answered, in JSON.</summary>
    public byte[] Answer { get; init; } = [];

    /// <summary>The same in the shape that LLM gateways read.</summary>
    public byte[] LlmAnswer { get; init; } = [];

    public decimal CreditsRemaining { get; init; }

    public bool Unlimited { get; init; }

    /// <summary>`active`, `held` or `closed`.</summary>
    public string Status { get; init; } = "active";

    /// <summary>Why it is not active.</summary>
    public string? StatusReason { get; init; }

    public DateTimeOffset? PeriodEnd { get; init; }
}

/// <summary>Which account is meant, and by whom.</summary>
/// <param name="Realm">The caller's realm.</param>
/// <param name="User">Keycloak's id of a user of that realm, or an account's id.</param>
/// <param name="IsOwn">It must be the user's own.</param>
/// <param name="OtherRealms">All other configured realms, whose people's accounts are out of reach.</param>
internal sealed record AccountSelector(string Realm, string User, bool IsOwn, string[] OtherRealms)
{
    /// <summary>As statements with <see cref="BalanceStore.SelectedAccount"/> take it.</summary>
    public NpgsqlParameter[] Parameters() =>
    [
        new("Realm", NpgsqlDbType.Text) { Value = Realm },
        new("User", NpgsqlDbType.Text) { Value = User },
        new("IsOwn", NpgsqlDbType.Boolean) { Value = IsOwn },
        new("OtherRealms", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = OtherRealms },
    ];
}
