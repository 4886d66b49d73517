using System.Globalization;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Experiments.Results;
using KeycloakCreditBridge.Grants.Experiments.Running;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether experiments on welcome credits compare what they began with, and whether their results can be trusted.</summary>
internal sealed class ExperimentChecks(ExperimentReports reports, ExperimentStore store, IOptions<GrantsOptions> options)
{
    public async Task<Finding> RatiosAsync(CancellationToken cancellationToken)
    {
        var frozen = new FrozenExperiments();
        frozen.Set(await store.ListAsync(cancellationToken));
        if (frozen.ProblemsOf(options.Value) is { Count: > 0 } problems)
            return Finding.Fail(string.Join(' ', problems), "the service does not begin with these settings");
        var results = await reports.ListAsync(null, null, cancellationToken);
        if (results.Count == 0)
            return Finding.Ok("no experiment has begun");
        var broken = results.Where(result => result.Ratio.State == SampleRatios.Broken).Select(Name).ToList();
        if (broken.Count > 0)
        {
            return Finding.Fail(
                $"users did not come into the arms as the weights say, and results are hidden: {string.Join(", ", broken)}",
                "stop the experiment and find what loses users of one arm; docs/experiments.md has the usual causes");
        }

        var doubtful = results.Where(result => result.Ratio.State == SampleRatios.Doubtful).Select(Name).ToList();
        return doubtful.Count > 0
            ? Finding.Warn(
                $"users hardly came into the arms as the weights say: {string.Join(", ", doubtful)}",
                "run `experiments show` again before you decide")
            : Finding.Ok(string.Create(CultureInfo.InvariantCulture, $"{results.Count} experiments, whose users came as the weights say"));
    }

    private static string Name(ExperimentResult result) => string.Create(
        CultureInfo.InvariantCulture, $"{result.Run.Experiment} of realm {result.Run.Realm} (p {result.Ratio.Probability:0.######})");
}
