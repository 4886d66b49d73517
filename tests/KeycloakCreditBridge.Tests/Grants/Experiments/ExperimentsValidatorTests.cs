using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Tests.Grants.Experiments;

/// <summary>What is wrong with experiments is said at once, with key and remedy.</summary>
public sealed class ExperimentsValidatorTests
{
    private static readonly WelcomeOptions Welcome = new() { Credits = 5m, Before = 1m, Requires = ["email_verified"] };

    [Fact]
    public void Every_fault_is_listed_with_its_key()
    {
        var options = new ExperimentOptions
        {
            Version = 0, From = "2027-01-02", Until = "2027-01-02T00:00:00Z", Coverage = 0m, Metric = "happiness", Winner = "gold",
            Exclude = ["ana", "@example.com"],
            When = new RuleWhenOptions { Utm = "campaign=x", Attribute = "kind=a" },
            Arms =
            [
                new() { Name = "low", Weight = 1.5m, Credits = 0.5m },
                new() { Name = "low", Weight = null, Credits = null, ExpiresAfter = TimeSpan.FromMinutes(1) },
                new() { Name = "A B", Weight = 0.5m, Credits = -1m },
            ],
        };
        AssertBegin(
            [
                "x:Until is 2027-01-02T00:00:00Z, not later than From (2027-01-02)", "x:Arms needs exactly one arm named control",
                "x:Arms:0:Weight is 1.5: choose more than 0", "x:Arms:0:Credits is 0.5, no more than Grants:Welcome:Before (1)",
                "x:Arms:1:Name is 'low' a second time", "x:Arms:1:Weight is missing", "x:Arms:1:Credits is missing",
                "x:Arms:1:ExpiresAfter is 00:01:00", "x:Arms:2:Name is 'A B'", "x:Arms:2:Credits is -1", "x:Version is 0",
                "x:Coverage is 0: choose more than 0", "x:Metric is 'happiness': choose one of spent_within_14d", "x:Planned is 0",
                "x:Winner is 'gold', which is no arm: choose one of low, low, A B", "x:Exclude:0 is no address",
                "x:When asks for an attribution", "x:When:Attribute is one that users may edit",
            ],
            Problems(("x", options)));
    }

    [Theory]
    [InlineData("", "x:From is missing")]
    [InlineData("tomorrow", "x:From is 'tomorrow'")]
    public void A_begin_is_needed(string from, string said)
    {
        var options = Good();
        options.From = from;
        AssertBegin([said], Problems(("x", options)));
    }

    [Theory]
    [InlineData(0.5, 0.499998, "x:Arms has weights that add up to 0.999998")]
    [InlineData(0.5, 0.500002, "x:Arms has weights that add up to 1.000002")]
    [InlineData(0.5, 0.499999, null)]
    [InlineData(0.3, 0.7, null)]
    public void Weights_add_up_to_1(decimal first, decimal second, string? said)
    {
        var options = Good();
        (options.Arms[0].Weight, options.Arms[1].Weight) = (first, second);
        AssertBegin(said is null ? [] : [said], Problems(("x", options)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(11)]
    public void Two_to_ten_arms_are_compared(int count)
    {
        var options = Good();
        options.Arms = [
            .. Enumerable.Range(0, count).Select(index => new ArmOptions
            {
                Name = index == 0 ? "control" : $"a{index}", Weight = 1m / count, Credits = 5m,
            })];
        AssertBegin([$"x:Arms has {count} arms"], Problems(("x", options)));
    }

    [Theory]
    [InlineData("control", "control", "x:Arms needs exactly one arm named control", "x:Arms:1:Name is 'control' a second time")]
    [InlineData("more", "control", "x:Arms needs exactly one arm named control")]
    public void The_first_arm_is_control_and_no_other_one(string first, string second, params string[] said)
    {
        var options = Good();
        (options.Arms[0].Name, options.Arms[1].Name) = (first, second);
        AssertBegin(said, Problems(("x", options)));
    }

    [Fact]
    public void Two_experiments_at_once_and_a_name_with_capitals_are_refused()
    {
        AssertBegin(
            ["b begins before Grants:Experiments:a ends"],
            Problems(("a", Good("2026-12-01", "2027-01-01T00:00:01Z")), ("b", Good("2027-01-01", ""))));
        AssertBegin(["b begins before Grants:Experiments:a ends"], Problems(("a", Good("2026-12-01", "")), ("b", Good("2027-01-01"))));
        Assert.Empty(Problems(("a", Good("2026-12-01", "2027-01-01")), ("b", Good("2027-01-01", ""))));
        AssertBegin(["X is no name of an experiment"], Problems(("X", Good())));
    }

    [Fact]
    public void Without_a_welcome_there_is_nothing_to_compare()
    {
        var problem = Assert.Single(
            ExperimentsValidator.Problems(
                "Grants:Experiments", new Dictionary<string, ExperimentOptions> { ["x"] = Good() }, welcome: null));
        Assert.StartsWith("Grants:Experiments compares welcome credits, and there is no welcome", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_of_what_is_frozen_is_named()
    {
        var (before, after) = (Good(), Good());
        Assert.Empty(Differences());
        after.Arms[1].Credits = 10.00m;
        (after.Coverage, after.Until, after.Winner, after.Exclude) = (0.1m, "2028-01-01", "more", ["ana@example.com"]);
        Assert.Empty(Differences());
        after.Arms[1].Credits = 12m;
        after.Metric = ExperimentMetrics.Active;
        after.When = new RuleWhenOptions { Group = "/sales" };
        Assert.Equal(
            [
                "Arms:1:Credits was 10 and is 12", "Metric was spent_within_14d and is active_within_7d",
                "When:Group was not set and is /sales",
            ],
            Differences());

        IReadOnlyList<string> Differences() => ExperimentDefinition.Differences(
            new ExperimentTerms("x", before).Definition, new ExperimentTerms("x", after).Definition);
    }

    private static ExperimentOptions Good(string from = "2026-12-01", string until = "2027-02-01") => new()
    {
        From = from, Until = until, Planned = 3600,
        Arms = [new() { Name = "control", Weight = 0.5m, Credits = 5m }, new() { Name = "more", Weight = 0.5m, Credits = 10m }],
    };

    private static void AssertBegin(string[] begins, IEnumerable<string> problems)
    {
        List<string> found = [.. problems];
        Assert.True(begins.Length == found.Count, string.Join('\n', found));
        Assert.All(begins.Zip(found), pair => Assert.StartsWith(pair.First, pair.Second, StringComparison.Ordinal));
    }

    // Without the key of all.
    private static IEnumerable<string> Problems(params (string Key, ExperimentOptions Options)[] experiments)
    {
        const string Key = "Grants:Experiments";
        foreach (var problem in ExperimentsValidator.Problems(
            Key, experiments.ToDictionary(item => item.Key, item => item.Options), Welcome))
        {
            Assert.StartsWith($"{Key}:", problem, StringComparison.Ordinal);
            yield return problem[(Key.Length + 1)..];
        }
    }
}
