using System.Text.Json;
using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Grants.Lots;

/// <summary>The lots of a long ledger after one of its rows, as a checkpoint keeps them.</summary>
internal sealed record LotCheckpoint(decimal Debt, IReadOnlyList<LotCheckpoint.Kept> Lots)
{
    public static LotCheckpoint Of(LotLedger ledger) => new(
        ledger.Debt,
        [
            .. ledger.Lots.OrderBy(lot => lot.Key, StringComparer.Ordinal).Select(lot => new Kept(
                lot.Key, lot.Amount, lot.GrantedAt, lot.ExpiresAt, lot.Priority, lot.IsPaid, lot.Left, lot.Gone, lot.IsClosed)),
        ]);

    public static LotCheckpoint Parse(string json) => JsonSerializer.Deserialize(json, LotCheckpointJson.Default.LotCheckpoint)!;

    public LotLedger ToLedger() => new(
        Lots.Select(kept => new Lot(kept.Key, kept.Amount, kept.GrantedAt)
        {
            ExpiresAt = kept.ExpiresAt, Priority = kept.Priority, IsPaid = kept.IsPaid, Left = kept.Left, Gone = kept.Gone,
            IsClosed = kept.IsClosed,
        }),
        Debt);

    public string ToJson() => JsonSerializer.Serialize(this, LotCheckpointJson.Default.LotCheckpoint);

    internal sealed record Kept(
        string Key, decimal Amount, DateTimeOffset GrantedAt, DateTimeOffset? ExpiresAt, int Priority, bool IsPaid, decimal Left,
        decimal Gone, bool IsClosed);
}

[JsonSerializable(typeof(LotCheckpoint))]
internal sealed partial class LotCheckpointJson : JsonSerializerContext;
