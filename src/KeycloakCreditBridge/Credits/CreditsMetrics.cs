using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Credits;

/// <summary>What the HTTP API does to credits.</summary>
internal sealed class CreditsMetrics
{
    private readonly Counter<long> _moves;
    private readonly Counter<long> _insufficient;
    private readonly Counter<long> _firstReads;

    public CreditsMetrics(Meter meter)
    {
        _moves = meter.CreateCounter<long>("bridge.credits.moves", "{move}", "Ledger rows that requests wrote, by type.");
        _insufficient = meter.CreateCounter<long>("bridge.credits.insufficient", "{request}", "Requests that a balance was too small for.");
        _firstReads = meter.CreateCounter<long>("bridge.credits.first_reads", "{account}", "Accounts that were opened because they were asked for.");
    }

    public void Moved(string type) => _moves.Add(1, new KeyValuePair<string, object?>("type", type));

    public void Insufficient() => _insufficient.Add(1);

    public void FirstRead(int opened) => _firstReads.Add(opened);
}
