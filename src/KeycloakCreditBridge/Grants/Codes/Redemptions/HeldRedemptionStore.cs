using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Codes.Redemptions;

/// <summary>Redemptions whose places are taken and that are not paid: it finds those that may be, and pays or rejects them.</summary>
internal sealed class HeldRedemptionStore(NpgsqlDataSource dataSource)
{
    private const string FindSql =
        """
        select w.realm, w.keycloak_id, r.user_id as account_id, r.campaign_id, r.code_id, g.name as campaign, g.credits,
            g.expires_after, g.once as once_text
        from unnest(@Realms::text[], @KeycloakIds::text[], @Verified::boolean[]) as w (realm, keycloak_id, is_verified)
        join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
        join code_redemptions r on r.user_id = k.account_id and r.state = 'held'
        join code_campaigns g on g.id = r.campaign_id and g.realm = w.realm
        where (w.is_verified or not 'email_verified' = any (g.requires)) and (
            select h.id from grant_holds h
            where h.user_id = r.user_id and h.grant_key = 'code:' || r.code_id and h.state = 'held') is null
        order by r.user_id collate "C", r.campaign_id
        """;

    private const string PaySql =
        """
        update code_redemptions r
        set state = 'paid', decided_at = coalesce(@At::timestamptz, now())
        from unnest(@Accounts::text[], @Campaigns::bigint[]) as w (user_id, campaign_id)
        join user_credits c on c.user_id = w.user_id and c.status = 'active'
        where r.user_id = w.user_id and r.campaign_id = w.campaign_id and r.state = 'held'
        returning r.user_id as account_id, r.campaign_id, r.decided_at as at
        """;

    // Another account was paid for the same address.
    private const string RejectSql =
        """
        with rejected as (
            update code_redemptions r set state = 'rejected', released = true, decided_by = 'claim_taken'
            where r.campaign_id = @Campaign::bigint and r.user_id = @Account::text
            returning r.code_id
        ),
        released as (
            update codes c set redeemed = c.redeemed - 1 from rejected e where c.id = e.code_id
        )
        insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
        select @Now::timestamptz, @Account, 'code.reject', 'success', 'user_credits', @Account, jsonb_build_object(
            'grant', 'code:' || e.code_id, 'released', true, 'reason', 'claim_taken')
        from rejected e
        """;

    // The place is given back at most once: a state is left once.
    private const string EndSql =
        """
        with ended as (
            update code_redemptions r
            set state = case r.state when 'held' then 'rejected' else 'void' end, released = r.state = 'held' or @Release::boolean,
                decided_at = @Now::timestamptz, decided_by = @By::text
            where r.campaign_id = @Campaign::bigint and r.user_id = @Account::text and r.state = @State::text
            returning r.code_id, r.state, r.released
        ),
        released as (
            update codes c set redeemed = c.redeemed - 1 from ended e where c.id = e.code_id and e.released
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
            select @Now, @Account, case e.state when 'void' then 'code.void' else 'code.reject' end, 'success', 'user_credits', @Account,
                jsonb_build_object('grant', 'code:' || e.code_id, 'released', e.released, 'by', @By)
            from ended e
        )
        select state from ended
        """;

    private const string StateSql =
        """
        select r.state from code_redemptions r where r.campaign_id = @Campaign::bigint and r.user_id = @Account::text
        """;

    /// <summary>Held redemptions of users that meet what their campaigns require.</summary>
    public Task<IReadOnlyList<HeldRedemption>> FindAsync(
        IReadOnlyCollection<(string Realm, string KeycloakId, bool IsVerified)> users, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<HeldRedemption>(
            FindSql,
            [
                users.Column("Realms", NpgsqlDbType.Text, user => user.Realm),
                users.Column("KeycloakIds", NpgsqlDbType.Text, user => user.KeycloakId),
                users.Column("Verified", NpgsqlDbType.Boolean, user => user.IsVerified),
            ],
            cancellationToken);

    /// <summary>Pays those that are held still and whose accounts are active.</summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="held">Each account's once.</param>
    /// <param name="now">The time of the ledger rows.</param>
    /// <param name="endsFrom">From when ends count; null for the database's time.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <returns>How many were paid.</returns>
    public static async Task<int> PayAsync(
        NpgsqlConnection connection, IReadOnlyList<HeldRedemption> held, DateTimeOffset now, DateTimeOffset? endsFrom,
        CancellationToken cancellationToken)
    {
        await BookingStore.LockAsync(
            connection, held.Select(redemption => redemption.AccountId).Distinct(StringComparer.Ordinal), all: true, at: null,
            cancellationToken);
        var paid = await connection.QueryPreparedAsync<PaidRedemption>(
            PaySql,
            [
                held.Column("Accounts", NpgsqlDbType.Text, redemption => redemption.AccountId),
                held.Column("Campaigns", NpgsqlDbType.Bigint, redemption => redemption.CampaignId),
                BookingStore.Time("At", endsFrom),
            ],
            cancellationToken);
        List<NewGrant> grants = [];
        foreach (var (redemption, at) in from redemption in held
                 join payment in paid on (redemption.AccountId, redemption.CampaignId) equals (payment.AccountId, payment.CampaignId)
                 select (redemption, payment.At))
        {
            // Campaigns of two realms may have one name: each counts addresses for itself.
            if (await ClaimStore.TakeAllAsync(
                connection,
                redemption.Claims.Select(claim => new AskedClaim(claim, $"{RedemptionStore.KeyPrefix}{redemption.CampaignId}")),
                redemption.AccountId, now, cancellationToken))
            {
                grants.Add(RedemptionStore.GrantOf(redemption.AccountId, redemption.CodeId, redemption.Terms, at));
                continue;
            }

            await connection.QueryPreparedAsync<int>(
                RejectSql,
                [
                    new("Campaign", NpgsqlDbType.Bigint) { Value = redemption.CampaignId },
                    new("Account", NpgsqlDbType.Text) { Value = redemption.AccountId },
                    BookingStore.Time("Now", now),
                ],
                cancellationToken);
        }

        return grants.Count == 0 ? 0 : (await GrantStore.GiveAsync(connection, grants, now, cancellationToken)).Count;
    }

    /// <summary>Rejects a held redemption, which gives its place back, or marks a paid one whose grant was voided.</summary>
    /// <returns>False where it is in that state no longer.</returns>
    public async Task<bool> EndAsync(EndedRedemption end, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await EndAsync(connection, end, now, cancellationToken);
    }

    /// <summary>The same on a connection of the caller, in its transaction.</summary>
    public static async Task<bool> EndAsync(
        NpgsqlConnection connection, EndedRedemption end, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<string>(
            EndSql,
            [
                new("Campaign", NpgsqlDbType.Bigint) { Value = end.CampaignId },
                new("Account", NpgsqlDbType.Text) { Value = end.AccountId },
                new("State", NpgsqlDbType.Text) { Value = end.State },
                new("Release", NpgsqlDbType.Boolean) { Value = end.Release },
                new("By", NpgsqlDbType.Text) { Value = end.By },
                BookingStore.Time("Now", now),
            ],
            cancellationToken)).Count > 0;

    /// <summary>See <see cref="RedemptionStates"/>; null without a redemption.</summary>
    public async Task<string?> StateAsync(string account, long campaign, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            StateSql,
            [
                new("Campaign", NpgsqlDbType.Bigint) { Value = campaign }, new("Account", NpgsqlDbType.Text) { Value = account },
            ],
            cancellationToken)) is [var state]
            ? state
            : null;

    private sealed record PaidRedemption(string AccountId, long CampaignId, DateTimeOffset At);
}

/// <summary>A redemption that waits.</summary>
internal sealed record HeldRedemption(
    string Realm, string KeycloakId, string AccountId, long CampaignId, Guid CodeId, string Campaign, decimal Credits,
    TimeSpan? ExpiresAfter, string OnceText)
{
    /// <summary>For what the campaign pays once.</summary>
    public OncePer Once => Enum.Parse<OncePer>(OnceText, ignoreCase: true);

    /// <summary>What stands for the address, and for identities at providers; nothing where each account is paid.</summary>
    public IReadOnlyList<Claim> Claims { get; init; } = [];

    public CodeTerms Terms => new(CampaignId, Campaign, Credits, ExpiresAfter);
}

/// <param name="State">`held` or `paid`: another one leaves it as it is.</param>
/// <param name="Release">Whether the place of a paid one is given back.</param>
internal sealed record EndedRedemption(long CampaignId, string AccountId, string State, bool Release, string By);
