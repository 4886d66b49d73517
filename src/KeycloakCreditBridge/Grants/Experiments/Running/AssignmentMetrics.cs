using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Experiments.Running;

/// <summary>Counts users that come into arms, and welcomes that arms pay.</summary>
internal sealed class AssignmentMetrics : IInstruments
{
    private readonly Hot<GrantsOptions> _options;
    private readonly Counter<long> _assigned;
    private readonly Counter<long> _exposed;

    public AssignmentMetrics(Meter meter, Hot<GrantsOptions> options)
    {
        _options = options;
        _assigned = meter.CreateCounter<long>(
            "bridge.experiments.assigned", "{user}", "Users that came into an arm of an experiment, by experiment and arm.");
        _exposed = meter.CreateCounter<long>(
            "bridge.experiments.exposed", "{user}", "Users whose welcome an arm of an experiment paid, by experiment and arm.");
    }

    public void Kept(IEnumerable<AssignedUser> users)
    {
        foreach (var user in users)
        {
            if (user.Arm.IsNew)
                _assigned.Add(1, Tags(user.Arm.Experiment, user.Arm.Arm));
            if (user.IsExposed)
                _exposed.Add(1, Tags(user.Arm.Experiment, user.Arm.Arm));
        }
    }

    public void StartAtZero()
    {
        var options = _options.Current;
        foreach (var (experiment, arm) in options.Realms.Values.SelectMany(realm => realm.Experiments ?? []).Concat(options.Experiments)
            .SelectMany(item => item.Value.Arms.Select(arm => (item.Key, arm.Name))).Distinct())
        {
            _assigned.Add(0, Tags(experiment, arm));
            _exposed.Add(0, Tags(experiment, arm));
        }
    }

    private static ReadOnlySpan<KeyValuePair<string, object?>> Tags(string experiment, string? arm) =>
        new KeyValuePair<string, object?>[] { new("experiment", experiment), new("arm", arm) };
}
