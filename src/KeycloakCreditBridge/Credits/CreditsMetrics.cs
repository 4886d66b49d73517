using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Credits;

/// <summary>Counts what the HTTP API does to credits.</summary>
internal sealed class CreditsMetrics : IInstruments
{
    private readonly Counter<long> _changes;
    private readonly Counter<long> _insufficient;
    private readonly Counter<long> _firstReads;
    private readonly Counter<long> _balances;
    private volatile bool _listens;

    public CreditsMetrics(Meter meter)
    {
        _changes = meter.CreateCounter<long>("bridge.credits.changes", "{change}", "Ledger rows that requests wrote, by type.");
        _insufficient = meter.CreateCounter<long>("bridge.credits.insufficient", "{request}",
            "Requests refused because the balance was too small.");
        _firstReads = meter.CreateCounter<long>("bridge.credits.first_reads", "{account}", "Accounts opened by a first read.");
        _balances = meter.CreateCounter<long>("bridge.balance.reads", "{read}", "Balance reads, by where the balance came from.");
        meter.CreateObservableGauge(
            "bridge.balance.listening", () => _listens ? 1 : 0, "{listener}",
            "Whether changes of balances by other writers are received; 0 while every read goes to the database.");
    }

    public void Changed(string type) => _changes.Add(1, new KeyValuePair<string, object?>("type", type));

    public void Insufficient() => _insufficient.Add(1);

    public void FirstRead(int opened) => _firstReads.Add(opened);

    public void BalanceRead(bool fromMemory) =>
        _balances.Add(1, new KeyValuePair<string, object?>("from", fromMemory ? "memory" : "database"));

    public void StartAtZero()
    {
        _changes.StartAtZero("type", ["usage", "purchase", "bonus", "refund", "adjustment"]);
        _balances.StartAtZero("from", ["memory", "database"]);
        _insufficient.Add(0);
        _firstReads.Add(0);
    }

    public void SetListening(bool listens) => _listens = listens;
}
