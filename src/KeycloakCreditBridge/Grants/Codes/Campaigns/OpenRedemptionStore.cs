using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Codes.Campaigns;

/// <summary>Lists the redemptions of a campaign that are paid or held.</summary>
internal sealed class OpenRedemptionStore(NpgsqlDataSource dataSource)
{
    private const string ListSql =
        """
        select r.campaign_id, r.user_id as account_id, 'code:' || r.code_id as grant_key, r.state, g.credits
        from code_campaigns g
        join code_redemptions r on r.campaign_id = g.id
        where g.realm = @Realm::text and g.name = @Campaign::text and r.state in ('paid', 'held')
        order by r.user_id collate "C"
        """;

    /// <summary>In the order of the accounts.</summary>
    public Task<IReadOnlyList<OpenRedemption>> ListAsync(string realm, string campaign, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<OpenRedemption>(
            ListSql,
            [new("Realm", NpgsqlDbType.Text) { Value = realm }, new("Campaign", NpgsqlDbType.Text) { Value = campaign }],
            cancellationToken);
}

/// <summary>A redemption that is paid or held.</summary>
internal sealed record OpenRedemption(long CampaignId, string AccountId, string GrantKey, string State, decimal Credits)
{
    public bool IsPaid => State == Redemptions.RedemptionStates.Paid;
}
