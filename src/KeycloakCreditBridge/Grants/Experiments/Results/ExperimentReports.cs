using KeycloakCreditBridge.Grants.Experiments.Running;

namespace KeycloakCreditBridge.Grants.Experiments.Results;

/// <summary>Tells what experiments came to. Commands, routes and the operator page all ask here.</summary>
internal sealed class ExperimentReports(ExperimentStore experiments, ResultStore results, TimeProvider clock)
{
    /// <summary>The last version of each experiment that began, by realm and key.</summary>
    /// <param name="realms">Only of these; null for all.</param>
    /// <param name="experiment">Only this one; null for all.</param>
    /// <param name="cancellationToken">Ends the queries.</param>
    public async Task<IReadOnlyList<ExperimentResult>> ListAsync(
        IReadOnlyCollection<string>? realms, string? experiment, CancellationToken cancellationToken)
    {
        List<ExperimentResult> listed = [];
        foreach (var run in (await experiments.ListAsync(cancellationToken))
            .Where(run => realms?.Contains(run.Realm) != false && (experiment is null || run.Experiment == experiment))
            .GroupBy(run => (run.Realm, run.Experiment)).Select(versions => versions.MaxBy(run => run.Version)!))
        {
            var (metric, planned) = ExperimentDefinition.GoalOf(run.Definition);
            var counts = await results.CountAsync(
                run.Realm, run.Experiment, run.Version, metric, clock.GetUtcNow(), cancellationToken);
            listed.Add(ExperimentResult.Of(run, metric, planned, counts));
        }

        return listed;
    }
}

/// <summary>What an experiment came to.</summary>
/// <param name="Planned">Users of each arm after which the result is final.</param>
/// <param name="Ratio">Whether users came into the arms as their weights say. Where it is broken, no arm has a share.</param>
/// <param name="IsFinal">Whether each arm has as many ripe users as planned.</param>
internal sealed record ExperimentResult(
    BegunExperiment Run, string Metric, int Planned, SampleRatio Ratio, bool IsFinal, IReadOnlyList<ArmResult> Arms)
{
    /// <summary>Whether it takes users, was stopped, or has a winner.</summary>
    public string State => Run.Winner is not null ? "won" : Run.StoppedAt is not null ? "stopped" : "running";

    /// <summary>What counts come to. Pure.</summary>
    public static ExperimentResult Of(
        BegunExperiment run, string metric, int planned, IReadOnlyDictionary<string, ArmCounts> counts)
    {
        var arms = ExperimentDefinition.ArmsOf(run.Definition)
            .Select(arm => (Arm: arm, Counts: counts.GetValueOrDefault(arm.Name) ?? new ArmCounts(arm.Name, 0, 0, 0, 0))).ToList();
        var ratio = SampleRatio.Of([.. arms.Select(arm => (arm.Counts.Exposed, arm.Arm.Weight))]);
        var isFinal = arms.TrueForAll(arm => arm.Counts.Ripe >= planned);
        var control = Sample(arms[0].Counts);
        return new(run, metric, planned, ratio, isFinal, [
            .. arms.Select(arm => new ArmResult(
                arm.Arm, arm.Counts.Users, arm.Counts.Exposed, arm.Counts.Ripe,
                ratio.ShowsResult ? arm.Counts.Did : null,
                ratio.ShowsResult && arm.Arm.Name != ExperimentArm.Control ? UpliftOf(control, Sample(arm.Counts), isFinal) : null))]);

        static ArmSample Sample(ArmCounts arm) => ArmSample.OfShare(arm.Ripe, arm.Did);
    }

    // An interval for one look misleads who looks before the end.
    private static ShownUplift? UpliftOf(ArmSample control, ArmSample arm, bool isFinal) =>
        Uplift.Of(control, arm) is { } uplift
            ? new(uplift.Value, uplift.Sequential, isFinal ? uplift.Fixed : null)
            : null;
}

/// <summary>What an arm came to.</summary>
/// <param name="Users">All that were assigned.</param>
/// <param name="Exposed">Those whose welcome was paid by the arm.</param>
/// <param name="Ripe">Those of all whose time to do it is over.</param>
/// <param name="Did">Those of them that did it in time; null where the sample ratio hides the result.</param>
/// <param name="Uplift">Against `control`; null for itself, where the result is hidden, and where there is too little to compare.</param>
internal sealed record ArmResult(FrozenArm Arm, long Users, long Exposed, long Ripe, long? Did, ShownUplift? Uplift)
{
    /// <summary>The part of the ripe users that did it; null where that is not known.</summary>
    public double? Share => Did is { } did && Ripe > 0 ? (double)did / Ripe : null;
}

/// <summary>How much higher the share of an arm is than that of `control`.</summary>
/// <param name="Value">0.1 for 10 % more.</param>
/// <param name="Sequential">95 %, however often it is read.</param>
/// <param name="Fixed">95 % for one look; null before the planned number of users.</param>
internal sealed record ShownUplift(double Value, Interval Sequential, Interval? Fixed);
