using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Booking;

/// <summary>What the ledger of an account says, told to the model: it must come to the same, however the rows came about.</summary>
internal static class LedgerStory
{
    private const string RowsSql =
        """
        select jsonb_build_object('id', t.id, 'at', extract(epoch from t.created_at) * 1000000, 'amount', t.amount::text,
            'type', t.transaction_type, 'key', t.grant_key, 'refunds', t.metadata ->> 'refunds', 'grant', t.metadata ->> 'grant',
            'beyond', t.metadata ->> 'beyond', 'priority', g.priority, 'ends', extract(epoch from g.expires_at) * 1000000)::text
        from credit_transactions t
        left join credit_grants g on g.user_id = t.user_id and g.grant_key = coalesce(t.grant_key, 'tx:' || t.id)
        where t.user_id = @account
        order by t.created_at, t.id
        """;

    /// <summary>The model after the whole ledger, and the amounts that the ledger booked out because a grant had ended, in order.</summary>
    public static async Task<(ExpiryModel Model, IReadOnlyList<ExpiryModel.Booking> Ended)> ReadAsync(
        TestDatabase database, string account, DateTimeOffset until)
    {
        var model = new ExpiryModel();
        List<ExpiryModel.Booking> ended = [];
        foreach (var json in await database.QueryAsync<string>(RowsSql, new { account }))
        {
            var row = JsonNode.Parse(json)!;
            var (key, amount) = ((string?)row["key"] ?? "", decimal.Parse((string)row["amount"]!));
            if (key.StartsWith("expire:", StringComparison.Ordinal))
                ended.Add(new ExpiryModel.Booking("expire", (string)row["grant"]!, -amount));
            else if (RowOf(row, key, amount) is { } told)
                model.Apply(told);
        }

        model.Expire((until - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        return (model, ended);
    }

    // The model books out by itself.
    private static ModelRow? RowOf(JsonNode row, string key, decimal amount)
    {
        var (at, id) = ((long)(decimal)row["at"]!, (string)row["id"]!);
        return (string)row["type"]! switch
        {
            "usage" => new ModelRow.Debit(at, id, -amount),
            "refund" => new ModelRow.Refund(at, $"tx:{id}", amount, (string?)row["refunds"]),
            "adjustment" when key.StartsWith("void:", StringComparison.Ordinal) => new ModelRow.Void(
                at, key, decimal.MaxValue, (string)row["grant"]!, Enum.Parse<ModelBeyond>((string)row["beyond"]!, ignoreCase: true)),
            "adjustment" when key.StartsWith("forfeit:", StringComparison.Ordinal) => new ModelRow.Forfeit(at, key),
            "adjustment" => null,
            // The grant of a period closes what was before it, also where nothing was left to forfeit.
            _ when amount == 0m => new ModelRow.Forfeit(at, key),
            var type => new ModelRow.Grant(
                at, $"tx:{id}", amount, (long?)(decimal?)row["ends"], (int?)row["priority"] ?? 50, type == "purchase"),
        };
    }
}
