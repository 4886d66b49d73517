using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Grants.Given;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Adds to a balance what ends within seven days. Only an account with such an end costs a second reading.</summary>
internal sealed class ExpiringReader(GrantBook book)
{
    public async Task<AccountBalance> AddAsync(AccountBalance balance, CancellationToken cancellationToken)
    {
        if (!(balance.SecondsToEnd <= ExpiringShape.Ahead.TotalSeconds)
            || await book.ListAsync(balance.AccountId, cancellationToken) is not { } account
            || ExpiringShape.Of(account) is not { Length: > 0 } expiring)
        {
            return balance;
        }

        var answer = JsonNode.Parse(balance.Answer)!.AsObject();
        answer["expiring"] = JsonSerializer.SerializeToNode(expiring, ExpiringJson.Default.ExpiringShapeArray);
        return balance with { Answer = JsonSerializer.SerializeToUtf8Bytes(answer, ExpiringJson.Default.JsonObject) };
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ExpiringShape[]))]
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class ExpiringJson : JsonSerializerContext;
