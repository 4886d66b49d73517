using System.Globalization;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Tests.Grants.Lots;

/// <summary>A case with its outcome: `Fixtures/expiry-vectors.json`.</summary>
internal sealed record ExpiryVector(
    string Name, IReadOnlyList<ModelRow> Rows, long Until, decimal Balance, decimal Debt, IReadOnlyList<ExpiryModel.Booking> BookedOut,
    IReadOnlyDictionary<string, decimal> Lots)
{
    public static IReadOnlyList<ExpiryVector> All { get; } =
        [.. JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "expiry-vectors.json")))!.AsArray()
            .Select(vector => Of(vector!))];

    public static TheoryData<string> Names => [.. All.Select(vector => vector.Name)];

    public static ExpiryVector Named(string name) => All.Single(vector => vector.Name == name);

    private static ExpiryVector Of(JsonNode vector) => new(
        (string)vector["name"]!,
        [.. vector["rows"]!.AsArray().Select(row => RowOf(row!))],
        (long)vector["until"]!,
        Number(vector["balance"]),
        Number(vector["debt"]),
        [.. vector["out"]!.AsArray().Select(item => new ExpiryModel.Booking((string)item![0]!, (string)item[1]!, Number(item[2])))],
        vector["lots"]!.AsObject().ToDictionary(lot => lot.Key, lot => Number(lot.Value), StringComparer.Ordinal));

    private static ModelRow RowOf(JsonNode row)
    {
        var (at, key, amount) = ((long)row["at"]!, (string)row["key"]!, Number(row["amount"]));
        return (string)row["kind"]! switch
        {
            "grant" => new ModelRow.Grant(
                at, key, amount, (long?)row["expires"], (int?)row["prio"] ?? 50, (bool?)row["paid"] ?? false),
            "debit" => new ModelRow.Debit(at, key, amount),
            "refund" => new ModelRow.Refund(at, key, amount, (string?)row["of"]),
            "void" => new ModelRow.Void(
                at, key, amount, (string)row["of"]!, Enum.Parse<ModelBeyond>((string?)row["beyond"] ?? "stop", ignoreCase: true)),
            "forfeit" => new ModelRow.Forfeit(at, key, (bool?)row["keep_paid"] ?? true),
            var kind => throw new InvalidDataException($"The vectors have no rows of kind {kind}."),
        };
    }

    private static decimal Number(JsonNode? text) => decimal.Parse((string)text!, CultureInfo.InvariantCulture);
}
