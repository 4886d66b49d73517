using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Credits;

/// <summary>What the HTTP API does to credits.</summary>
internal sealed class CreditsMetrics
{
    private readonly Counter<long> _moves;
    private readonly Counter<long> _insufficient;
    private readonly Counter<long> _firstReads;
    private readonly Counter<long> _balances;
    private volatile bool _listens;

    public CreditsMetrics(Meter meter)
    {
        _moves = meter.CreateCounter<long>("bridge.credits.changes", "{move}", "Ledger rows that requests wrote, by type.");
        _insufficient = meter.CreateCounter<long>("bridge.credits.insufficient", "{request}", "Requests that a balance was too small for.");
        _firstReads = meter.CreateCounter<long>("bridge.credits.first_reads", "{account}", "Accounts that were opened because they were asked for.");
        _balances = meter.CreateCounter<long>("bridge.balance.reads", "{read}", "Balances that were asked for, by where they were read.");
        meter.CreateObservableGauge(
            "bridge.balance.listening", () => _listens ? 1 : 0, "{listener}", "Whether changes of balances by others are heard of; 0 while every read goes to the database.");
    }

    public void Changed(string type) => _moves.Add(1, new KeyValuePair<string, object?>("type", type));

    public void Insufficient() => _insufficient.Add(1);

    public void FirstRead(int opened) => _firstReads.Add(opened);

    public void BalanceRead(bool fromMemory) => _balances.Add(1, new KeyValuePair<string, object?>("from", fromMemory ? "memory" : "database"));

    public void SetListening(bool listens) => _listens = listens;
}
