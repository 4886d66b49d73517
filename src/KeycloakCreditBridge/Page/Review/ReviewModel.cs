using System.Globalization;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Review;

/// <summary>Which holds are asked for, as it stands in addresses and forms.</summary>
/// <param name="State">A state, or `any`.</param>
internal sealed record ReviewFilter(HoldFilter Holds, string State)
{
    public const string Any = "any";

    private const int Most = 100;

    public static readonly IReadOnlyList<string> States = [.. Enum.GetValues<HoldState>().Select(HoldMoves.Name), Any];

    public string Realm => Holds.Realms[0];

    public string? Score => Holds.AtLeast == 0 ? null : Holds.AtLeast.ToString(CultureInfo.InvariantCulture);

    /// <summary>The fields by which forms and addresses name it.</summary>
    public IEnumerable<(string Name, string? Value)> Fields =>
        [("policy", Holds.Policy), ("signal", Holds.Signal), ("score", Score), ("appealed", Holds.Appealed ? "on" : null)];

    public static ReviewFilter Of(string realm, AskedFilters filters) => Of(
        realm, filters.OneOf("state", States), filters.Text("policy"), filters.OneOf("signal", SignalNames.All), filters.Text("score"),
        filters.Text("appealed"));

    /// <summary>Undecided ones alone: only these are decided.</summary>
    public static ReviewFilter Of(string realm, IFormCollection form) => Of(
        realm, null, TextOf(form["policy"]), TextOf(form["signal"]), TextOf(form["score"]), TextOf(form["appealed"]));

    /// <summary>The screen with a page of them.</summary>
    public string AddressOf(int page) =>
        $"{ReviewScreen.AddressOf(Realm)}&state={State}"
        + string.Concat(Fields.Where(field => field.Value is not null).Select(field => $"&{field.Name}={Texts.Segment(field.Value!)}"))
        + string.Create(CultureInfo.InvariantCulture, $"&page={page}");

    private static ReviewFilter Of(string realm, string? state, string? policy, string? signal, string? score, string? appealed)
    {
        var shown = state ?? States[0];
        return new ReviewFilter(
            new HoldFilter([realm], shown == Any ? null : HoldMoves.Parse(shown))
            {
                Policy = policy, Signal = signal, Appealed = appealed == "on",
                AtLeast = int.TryParse(score, NumberStyles.None, CultureInfo.InvariantCulture, out var least)
                    ? Math.Min(least, Most) : 0,
            },
            shown);
    }

    // PostgreSQL cannot compare with a NUL.
    private static string? TextOf(string? text) =>
        string.IsNullOrEmpty(text) || text.Contains('\0', StringComparison.Ordinal) ? null : text;
}

/// <param name="Count">How many match.</param>
/// <param name="Overturned">What operators decided of the signals within 30 days; empty for operators of some realms.</param>
/// <param name="IsOn">Whether new grants of the realm are reviewed.</param>
/// <param name="Ignored">Filters that mean nothing.</param>
internal sealed record ReviewModel(
    ReviewFilter Filter, IReadOnlyList<string> Realms, IReadOnlyList<HoldRow> Rows, bool AreMore, int Page, long Count,
    IReadOnlyList<OverturnedSignal> Overturned, bool IsOn, bool MayChange, IReadOnlyList<string> Ignored)
{
    public string Realm => Filter.Realm;
}

/// <summary>A hold with what it has as JSON.</summary>
/// <param name="Signals">With what each counts.</param>
/// <param name="Appeal">What the user says; null without an appeal.</param>
internal sealed record HoldRow(ListedHold Hold, IReadOnlyList<SignalHit> Signals, string? Appeal)
{
    public bool IsOpen => Hold.State == "held";

    public static HoldRow Of(ListedHold hold) => new(
        hold,
        [
            .. JsonNode.Parse(hold.Signals)!.AsArray().OfType<JsonObject>().Select(signal => new SignalHit(
                (string?)signal["signal"] ?? "", (int?)signal["score"] ?? 0, (string?)signal["missing"])),
        ],
        hold.Appeal is { } appeal ? (string?)JsonNode.Parse(appeal)!["text"] ?? "" : null);
}

/// <param name="Counted">What matches, and with <paramref name="IsDone"/> what was decided.</param>
/// <param name="NeedsName">Whether the realm's name has to be typed.</param>
/// <param name="Fault">What was typed wrong; null for nothing.</param>
internal sealed record BulkModel(
    ReviewFilter Filter, BulkDecision Order, BulkResult Counted, bool IsDone, bool NeedsName, string? Fault)
{
    public bool Approves => Order.To == HoldState.Approved;
}
