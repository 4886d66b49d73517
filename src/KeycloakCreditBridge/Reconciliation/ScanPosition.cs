namespace KeycloakCreditBridge.Reconciliation;

/// <summary>A place in a scan of a realm.</summary>
/// <param name="Phase">Which part of the scan, where it has several; empty for the first.</param>
/// <param name="Number">How far into it: rows of a list, or milliseconds since 1970.</param>
/// <param name="Tail">Ids of the last users before it.</param>
internal sealed record ScanPosition(string Phase, long Number, IReadOnlyList<string> Tail)
{
    public static readonly ScanPosition Start = new("", 0, []);
}
