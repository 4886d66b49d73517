using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Codes.Redemptions;

/// <summary>The redemption behind a grant that a review held back.</summary>
internal static class ReviewedRedemptionStore
{
    private const string FindSql =
        """
        select c.realm, c.keycloak_id, r.user_id as account_id, r.campaign_id, r.code_id, g.name as campaign, g.credits, g.expires_after,
            g.once as once_text
        from code_redemptions r
        join code_campaigns g on g.id = r.campaign_id
        join user_credits c on c.user_id = r.user_id
        where r.user_id = @Account::text and r.code_id = @Code::uuid
        """;

    // A rejection gave the place back: an approval after an appeal needs one again.
    private const string RetakeSql =
        """
        with taken as (
            update codes c set redeemed = c.redeemed + 1
            from code_redemptions r
            where r.campaign_id = @Campaign::bigint and r.user_id = @Account::text and r.state = 'rejected' and r.decided_by = @By::text
                and c.id = r.code_id and c.redeemed < c.max_redemptions
            returning c.id
        )
        update code_redemptions r set state = 'held', released = false, decided_at = null, decided_by = null
        from taken t
        where r.campaign_id = @Campaign and r.user_id = @Account and r.code_id = t.id
        """;

    /// <summary>The redemption of a code by an account, whatever its state; null without one.</summary>
    public static async Task<HeldRedemption?> FindAsync(
        NpgsqlConnection connection, string account, Guid code, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<HeldRedemption>(
            FindSql,
            [new("Account", NpgsqlDbType.Text) { Value = account }, new("Code", NpgsqlDbType.Uuid) { Value = code }],
            cancellationToken)) is [var found]
            ? found
            : null;

    /// <summary>Takes a place again, if one is left and this decision gave it back.</summary>
    public static Task RetakeAsync(
        NpgsqlConnection connection, HeldRedemption redemption, string by, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            RetakeSql,
            [
                new("Campaign", NpgsqlDbType.Bigint) { Value = redemption.CampaignId },
                new("Account", NpgsqlDbType.Text) { Value = redemption.AccountId },
                new("By", NpgsqlDbType.Text) { Value = by },
            ],
            cancellationToken);
}
