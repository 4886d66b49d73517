using System.Collections.Concurrent;
using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Evidence;

/// <summary>All requests of the workload, as its callers saw them.</summary>
internal sealed class History
{
    private readonly ConcurrentQueue<Call> _calls = new();
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Call>> _ofAccounts = new(StringComparer.Ordinal);

    /// <summary>Users whose deletion Keycloak confirmed.</summary>
    public ConcurrentDictionary<string, bool> Deleted { get; } = new(StringComparer.Ordinal);

    /// <summary>Codes that were made, and what each pays.</summary>
    public ConcurrentQueue<(string Campaign, string Code, decimal Credits)> Codes { get; } = new();

    /// <summary>Users whose accounts' periods another program has ended, or may have where it is false.</summary>
    public ConcurrentDictionary<string, bool> EndedPeriods { get; } = new(StringComparer.Ordinal);

    /// <summary>What Keycloak itself refused or lost of the workload.</summary>
    public ConcurrentQueue<string> KeycloakFailures { get; } = new();

    public IReadOnlyCollection<Call> Calls => _calls;

    public void Add(Call call)
    {
        _calls.Enqueue(call);
        _ofAccounts.GetOrAdd(call.Account, _ => new()).Enqueue(call);
    }

    /// <summary>The requests of an account so far that were acknowledged.</summary>
    public Call[] DoneOf(string account, StepKind kind) =>
        [.. _ofAccounts.GetValueOrDefault(account, []).Where(call => call.Kind == kind && call.Outcome == CallOutcome.Done)];
}
