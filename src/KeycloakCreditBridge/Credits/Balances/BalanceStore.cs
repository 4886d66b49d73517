using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Balances as the API answers them.</summary>
internal sealed class BalanceStore(NpgsqlDataSource dataSource, GrantEnds ends, IOptions<ProvisioningOptions> provisioning)
{
    private const string PeriodEnd = "credit_period_end(c.last_reset, c.created_at, @PeriodSeconds::double precision)";

    /// <summary>
    /// The account that @User (Keycloak's id or an account's) means to callers of @Realm: never one of a user of another realm, and for a
    /// caller's own account none of another user. An account without a known owner is visible from every realm.
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

    /// <summary>
    /// The account c of each w.user_id that a gateway names: the account of the user with that id in one of @Realms, else the account of
    /// that id itself.
    /// </summary>
    internal const string NamedAccount =
        """
        left join lateral (
            select k.account_id from keycloak_users k
            join user_credits o on o.user_id = k.account_id
            where k.realm = any (@Realms::text[]) and k.keycloak_id = w.user_id
                and (o.keycloak_id is null or o.realm = k.realm and o.keycloak_id = k.keycloak_id)
            order by k.realm limit 1) k on true
        join user_credits c on c.user_id = coalesce(k.account_id, w.user_id)
        """;

    /// <summary>
    /// The balance of account c, with both sets of names that callers use, and amounts as text with six decimals. It needs
    /// <see cref="PeriodLength"/>.
    /// </summary>
    internal const string BalanceJson =
        $"""
        jsonb_build_object(
            'user_id', c.user_id,
            'balance', c.credits_remaining::text, 'credits_remaining', c.credits_remaining::text,
            'allocated_monthly', c.credits_allocated::text, 'credits_allocated', c.credits_allocated::text,
            'bonus_credits', greatest(c.credits_remaining - c.credits_allocated, 0)::numeric(20, 6)::text, 'free_tier_used', '0.000000',
            'reset_date', to_char({PeriodEnd} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'last_reset', to_char({PeriodEnd} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
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
            c.credits_remaining, c.unlimited, c.status, c.status_reason, {PeriodEnd} as period_end,
            c.next_expiry, extract(epoch from c.next_expiry - coalesce(@At::timestamptz, now()))::double precision as seconds_to_end,
            c.first_read_at is null as never_read
        from ({SelectedAccount}) c
        """;

    /// <summary>
    /// The balance as it is now, without what has ended; null when there is no such account for callers of this realm.
    /// </summary>
    public async Task<AccountBalance?> FindAsync(AccountSelector selector, CancellationToken cancellationToken)
    {
        while (true)
        {
            var rows = await dataSource.QueryPreparedAsync<AccountBalance>(
                BalanceSql, [.. selector.Parameters(), GrantEnds.AtOf(ends), PeriodLength(provisioning.Value)], cancellationToken);
            if (rows is not [{ SecondsToEnd: <= 0d } due])
                return rows is [var balance] ? balance : null;
            await ends.SettleAsync([due.AccountId], cancellationToken);
        }
    }

    /// <summary>The parameter @PeriodSeconds.</summary>
    public static NpgsqlParameter PeriodLength(ProvisioningOptions provisioning) =>
        new("PeriodSeconds", NpgsqlDbType.Double) { Value = provisioning.Period.TotalSeconds };
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

    /// <summary>When the next of its credits end; null if none do.</summary>
    public DateTimeOffset? NextExpiry { get; init; }

    /// <summary>The seconds until then, by the clock that ends compare with.</summary>
    public double? SecondsToEnd { get; init; }

    /// <summary>Whether no read of it was on record.</summary>
    public bool NeverRead { get; init; }
}

/// <summary>Which account is meant, and by which caller.</summary>
/// <param name="Realm">The caller's realm.</param>
/// <param name="User">Keycloak's id of a user of that realm, or an account's id.</param>
/// <param name="IsOwn">It must be the user's own.</param>
/// <param name="OtherRealms">All other configured realms: accounts of their users are not visible.</param>
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
