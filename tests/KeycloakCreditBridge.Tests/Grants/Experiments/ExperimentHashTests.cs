using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Experiments.Results;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Tests.Grants.Experiments;

/// <summary>Users are divided as GrowthBook divides them, and evenly.</summary>
[SuppressMessage("Security", "CA5394", Justification = "A test that is repeated has to meet the same users.")]
public sealed class ExperimentHashTests
{
    private const int Users = 1_000_000;

    // Published with version 2 of GrowthBook's hash.
    [Theory]
    [InlineData("seed", "a", 505)]
    [InlineData("seed", "b", 2696)]
    [InlineData("foo", "ab", 2575)]
    [InlineData("foo", "def", 2019)]
    [InlineData("foo", "1", 5844)]
    [InlineData("89123klj", "8952klfjas09ujkasdf", 1240)]
    [InlineData("90850943850283058242805", "123", 7516)]
    [InlineData("()**(%$##$%#$#", "___)((*\":&", 128)]
    public void The_published_values_are_met(string seed, string value, int bucket) =>
        Assert.Equal(bucket, ExperimentHash.BucketOf(seed, value));

    [Theory]
    [InlineData("4afb9dc8-c31c-41a5-a30c-5c8c788f6b06", 184, "control")]
    [InlineData("91dc7dff-f3aa-40fb-aeba-f7aaf4f6e4db", 1225, "control")]
    [InlineData("a4a8f634-8099-4c05-b6f5-ff9473b90c3a", 1606, "control")]
    [InlineData("f:0d0c4c1e-9a0b-4f7c-8a55-1c8f4f2b0a11:ana", 3518, "control")]
    [InlineData("00000000-0000-0000-0000-000000000000", 6056, "more")]
    [InlineData("ünïcode-müller", 8922, "much")]
    public void An_id_leads_to_its_arm_exactly_as_Keycloak_gives_it(string id, int bucket, string arm)
    {
        var terms = new ExperimentTerms("trial-2026", Options(1m, ("control", 0.5m), ("more", 0.25m), ("much", 0.25m)));
        var (found, led) = terms.HashOf(id);
        Assert.Equal((bucket, arm), (found, led?.Name));
    }

    [Fact]
    public void A_seed_of_its_own_divides_anew_and_without_one_the_key_does()
    {
        var options = Options(1m, ("control", 0.5m), ("more", 0.5m));
        options.Seed = "foo";
        Assert.Equal((5844, "more"), Named(new ExperimentTerms("any", options).HashOf("1")));
        options.Seed = "";
        Assert.Equal((5844, "more"), Named(new ExperimentTerms("foo", options).HashOf("1")));

        static (int, string?) Named((int Bucket, ExperimentArm? Arm) found) => (found.Bucket, found.Arm?.Name);
    }

    [Fact]
    public void Each_arm_takes_the_covered_part_of_its_own_range()
    {
        var arms = ExperimentArm.Divide(Options(0.5m, ("control", 0.4m), ("more", 0.6m)).Arms, 0.5m);
        Assert.Equal([(0m, 0.2m), (0.4m, 0.7m)], arms.Select(arm => (arm.From, arm.Until)));
        Assert.Equal(
            ["control", "control", null, null, "more", "more", null],
            ((int[])[0, 1999, 2000, 3999, 4000, 6999, 7000]).Select(bucket => ExperimentArm.Of(arms, bucket)?.Name));
    }

    [Fact]
    public void A_million_users_come_into_the_arms_as_their_weights_say_and_more_coverage_moves_no_user()
    {
        (string Name, decimal Weight)[] weights = [("control", 0.5m), ("more", 0.3m), ("much", 0.2m)];
        ExperimentTerms[] coverages = [
            .. ((decimal[])[0.1m, 0.35m, 0.9m, 1m]).Select(coverage => new ExperimentTerms("trial-2026", Options(coverage, weights)))];
        // Which arm each bucket leads to at each coverage: looked up, as a million users are asked.
        string?[][] arms = [
            .. coverages.Select(terms => Enumerable.Range(0, ExperimentHash.Buckets)
                .Select(bucket => ExperimentArm.Of(terms.Arms, bucket)?.Name).ToArray())];
        var counts = coverages.Select(_ => new Dictionary<string, long>(StringComparer.Ordinal)).ToArray();
        var random = new Random(20261130);
        var bytes = new byte[16];
        for (var user = 0; user < Users; user++)
        {
            random.NextBytes(bytes);
            BinaryPrimitives.WriteInt32LittleEndian(bytes, user);
            var bucket = ExperimentHash.BucketOf("trial-2026", new Guid(bytes).ToString());
            string? before = null;
            for (var index = 0; index < arms.Length; index++)
            {
                var arm = arms[index][bucket];
                if (before is not null && arm != before)
                    Assert.Fail($"A user of {before} is in {arm} once the coverage is larger.");
                if (arm is not null)
                    counts[index][arm] = counts[index].GetValueOrDefault(arm) + 1;
                before = arm;
            }
        }

        Assert.Equal(Users, counts[^1].Values.Sum());
        foreach (var counted in counts)
        {
            var ratio = SampleRatio.Of([.. weights.Select(arm => (counted[arm.Name], arm.Weight))]);
            Assert.True(ratio.Probability > 0.001, $"{ratio}");
        }
    }

    private static ExperimentOptions Options(decimal coverage, params (string Name, decimal Weight)[] arms) => new()
    {
        From = "2026-12-01", Coverage = coverage, Planned = 100,
        Arms = [.. arms.Select(arm => new ArmOptions { Name = arm.Name, Weight = arm.Weight, Credits = 5m })],
    };
}
