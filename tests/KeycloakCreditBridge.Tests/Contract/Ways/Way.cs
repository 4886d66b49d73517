namespace KeycloakCreditBridge.Tests.Contract.Ways;

/// <summary>A way in which a user appears, changes or goes.</summary>
/// <param name="Name">What happens.</param>
/// <param name="KeycloakSays">The events that name the user.</param>
/// <param name="BridgeDoes">What becomes of the account.</param>
/// <param name="ByWebhook">The longest that it takes where webhooks come.</param>
/// <param name="ByPolling">The same where stored events are polled and no webhook comes.</param>
/// <param name="ByReconciliation">The same where only reconciliation runs.</param>
/// <param name="Tests">The tests that show it.</param>
internal sealed record Way(
    string Name, string KeycloakSays, string BridgeDoes, string ByWebhook, string ByPolling, string ByReconciliation,
        params CoveringTest[] Tests)
{
    /// <summary>How long it took on a real server; empty where it was not measured.</summary>
    public string Measured { get; init; } = "";

    /// <summary>Where the tests run: the newest server first, the emulator last.</summary>
    public string ProvenOn => string.Join(", ", Tests.SelectMany(test => test.Servers).Distinct().OrderDescending(StringComparer.Ordinal)
        .OrderBy(server => server == CoveringTest.Emulator));

    public string Row =>
        $"| {Name} | {KeycloakSays} | {BridgeDoes} | {ByWebhook} | {ByPolling} | {ByReconciliation} | {Measured} | {ProvenOn} |";
}
