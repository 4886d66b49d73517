using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Experiments.Results;
using KeycloakCreditBridge.Grants.Experiments.Running;

namespace KeycloakCreditBridge.Cli.Experiments;

/// <summary>Shows experiments and ends them.</summary>
internal static class ExperimentsCommand
{
    private const string Author = "command";

    private static readonly string[] ListHeads =
        ["REALM", "EXPERIMENT", "VERSION", "STATE", "SINCE", "METRIC", "USERS", "EXPOSED", "RIPE", "PLANNED", "RATIO"];

    private static readonly string[] ArmHeads =
        ["ARM", "CREDITS", "WEIGHT", "USERS", "EXPOSED", "RIPE", "DID", "SHARE", "UPLIFT", "SEQUENTIAL 95%", "FIXED 95%"];

    public static Task<int> ListAsync(CommandHost host, string[] settings, string? realm, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var found = await services.GetRequiredService<ExperimentReports>().ListAsync(
                ConfiguredRealms.Of(services, realm), null, cancellationToken);
            if (found.Count == 0 && !json)
                await Console.Out.WriteLineAsync("No experiment has begun: Grants:Experiments configures them.");
            else
                foreach (var line in json ? found.Select(Json) : Printable.List([ListHeads, .. found.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> ShowAsync(CommandHost host, string[] settings, NamedExperiment named, bool json) =>
        RunAsync(host, settings, named, async (_, found, _) =>
        {
            foreach (var line in json ? found.Arms.Select(arm => Json(found, arm)) : Lines(found))
                await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> DecideAsync(CommandHost host, string[] settings, NamedExperiment named, string? winner, bool json) =>
        RunAsync(host, settings, named, async (services, found, cancellationToken) =>
        {
            var (realm, key) = (found.Run.Realm, found.Run.Experiment);
            if (winner is not null && found.Arms.All(arm => arm.Arm.Name != winner))
            {
                await Console.Error.WriteLineAsync(
                    $"{Printable.Of(winner)} is no arm of {Printable.Of(key)}: choose one of "
                    + $"{string.Join(", ", found.Arms.Select(arm => arm.Arm.Name))}.");
                return ExitCode.SomeFailed;
            }

            var version = await services.GetRequiredService<ExperimentStore>().DecideAsync(
                realm, key, winner, Author, services.GetRequiredService<TimeProvider>().GetUtcNow(), cancellationToken);
            if (version is null && !json)
            {
                await Console.Out.WriteLineAsync(
                    $"Experiment {Printable.Of(key)} of realm {Printable.Of(realm)} was {(winner is null ? "stopped" : "won so")} before.");
                return ExitCode.Done;
            }

            var state = winner is null ? found.Run.Winner is null ? "stopped" : "won" : "won";
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(
                    new DecidedExperiment(key, realm, found.Run.Version, state, winner ?? found.Run.Winner),
                    ExperimentsJson.Default.DecidedExperiment)
                : $"Experiment {Printable.Of(key)} of realm {Printable.Of(realm)} takes no more users. New users get what "
                    + $"{winner ?? "control"} gives, in all replicas within seconds. Others keep their arms.");
            return ExitCode.Done;
        });

    public static async Task<int> PlanAsync(double share, double other, bool json)
    {
        var users = SampleSize.Of(share, other);
        await Console.Out.WriteLineAsync(json
            ? JsonSerializer.Serialize(new PlannedSize(share, other, users), ExperimentsJson.Default.PlannedSize)
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{users} users of each arm show {share:0.####} to {other:0.####} in 8 of 10 experiments, at 95 %."));
        return ExitCode.Done;
    }

    private static Task<int> RunAsync(
        CommandHost host, string[] settings, NamedExperiment named,
        Func<IServiceProvider, ExperimentResult, CancellationToken, Task<int>> work) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var realm = ConfiguredRealms.Of(services, named.Realm) is [var one] ? one : throw new ConfigurationException(
                [$"--realm is missing: Keycloak:Realms has {string.Join(", ", ConfiguredRealms.Of(services, null))}."]);
            if (await services.GetRequiredService<ExperimentReports>().ListAsync([realm], named.Name, cancellationToken) is [var found])
                return await work(services, found, cancellationToken);
            await Console.Error.WriteLineAsync(
                $"No experiment {Printable.Of(named.Name)} has begun in realm {Printable.Of(realm)}: `experiments list` shows those that "
                + "have.");
            return ExitCode.SomeFailed;
        });

    private static IEnumerable<string> Lines(ExperimentResult found)
    {
        var run = found.Run;
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{run.Experiment} version {run.Version} in realm {Printable.Of(run.Realm)}: {found.State}, ")
            + $"since {Printable.Of(run.StartedAt)}, compares {found.Metric}.";
        yield return found.Ratio.State switch
        {
            SampleRatios.Broken => Ratio("The sample ratio is broken", "The result is hidden: docs/experiments.md says why this happens."),
            SampleRatios.Doubtful => Ratio("The sample ratio is doubtful", "Ask again before you decide."),
            SampleRatios.TooFew => "There are too few users to check the sample ratio, and the result is not shown.",
            _ => Ratio("The sample ratio is good", ""),
        };
        var (ripe, users) = (found.Arms.Sum(arm => arm.Ripe), found.Arms.Sum(arm => arm.Users));
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{ripe:#,0} of {users:#,0} users are ripe: their time is over. Planned are {found.Planned:#,0} of ")
            + (found.IsFinal
                ? "each arm, which all have: the result is final."
                : "each arm. Until then only the sequential interval is shown.");
        foreach (var line in Printable.Tables([ArmHeads, .. found.Arms.Select(Row)]))
            yield return line;

        string Ratio(string says, string more) => string.Create(
            CultureInfo.InvariantCulture, $"{says} (chi-square {found.Ratio.Statistic:0.00}, p {found.Ratio.Probability:0.######}). {more}")
            .TrimEnd();
    }

    private static string[] Row(ExperimentResult found) =>
    [
        Printable.Of(found.Run.Realm), found.Run.Experiment, Number(found.Run.Version), found.State, Printable.Of(found.Run.StartedAt),
        found.Metric, Number(found.Arms.Sum(arm => arm.Users)), Number(found.Arms.Sum(arm => arm.Exposed)),
        Number(found.Arms.Sum(arm => arm.Ripe)), Number(found.Planned), found.Ratio.State,
    ];

    private static string[] Row(ArmResult arm) =>
    [
        arm.Arm.Name, arm.Arm.Credits.ToString("0.00####", CultureInfo.InvariantCulture), Number(arm.Arm.Weight), Number(arm.Users),
        Number(arm.Exposed), Number(arm.Ripe), arm.Did is { } did ? Number(did) : "-", Percent(arm.Share), Percent(arm.Uplift?.Value),
        Text(arm.Uplift?.Sequential), Text(arm.Uplift?.Fixed),
    ];

    private static string Text(Interval? interval) =>
        interval is null ? "-" : $"{Percent(interval.Low)} to {Percent(interval.High)}";

    private static string Percent(double? part) =>
        part is { } value ? (value * 100d).ToString("0.0", CultureInfo.InvariantCulture) + " %" : "-";

    private static string Number(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);

    private static string Json(ExperimentResult found) => JsonSerializer.Serialize(
        new ListedExperiment(
            found.Run.Experiment, found.Run.Realm, found.Run.Version, found.State, found.Run.Winner, found.Run.StartedAt, found.Metric,
            found.Arms.Sum(arm => arm.Users), found.Arms.Sum(arm => arm.Exposed), found.Arms.Sum(arm => arm.Ripe), found.Planned,
            found.Ratio.State),
        ExperimentsJson.Default.ListedExperiment);

    private static string Json(ExperimentResult found, ArmResult arm) => JsonSerializer.Serialize(
        new ShownArm(
            found.Run.Experiment, found.Run.Realm, arm.Arm.Name, arm.Arm.Credits, arm.Arm.Weight, arm.Users, arm.Exposed, arm.Ripe, arm.Did,
            arm.Share, arm.Uplift?.Value, arm.Uplift?.Sequential.Low, arm.Uplift?.Sequential.High, arm.Uplift?.Fixed?.Low,
            arm.Uplift?.Fixed?.High, found.Ratio.State),
        ExperimentsJson.Default.ShownArm);
}

/// <summary>A line of `experiments list --json`.</summary>
internal sealed record ListedExperiment(
    string Experiment, string Realm, int Version, string State, string? Winner, DateTimeOffset StartedAt, string Metric, long Users,
    long Exposed, long Ripe, int Planned, string Ratio);

/// <summary>A line of `experiments show --json`.</summary>
internal sealed record ShownArm(
    string Experiment, string Realm, string Arm, decimal Credits, decimal Weight, long Users, long Exposed, long Ripe, long? Did,
    double? Share, double? Uplift, double? SequentialLow, double? SequentialHigh, double? FixedLow, double? FixedHigh, string Ratio);

/// <summary>The line of `experiments stop --json` and `experiments winner --json`.</summary>
internal sealed record DecidedExperiment(string Experiment, string Realm, int Version, string State, string? Winner);

/// <summary>The line of `experiments plan --json`.</summary>
/// <param name="Users">Of each arm.</param>
internal sealed record PlannedSize(double Share, double To, long Users);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ListedExperiment))]
[JsonSerializable(typeof(ShownArm))]
[JsonSerializable(typeof(DecidedExperiment))]
[JsonSerializable(typeof(PlannedSize))]
internal sealed partial class ExperimentsJson : JsonSerializerContext;
