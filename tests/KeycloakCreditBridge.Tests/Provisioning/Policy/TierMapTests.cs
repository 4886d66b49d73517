using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Policy;

public sealed class TierMapTests
{
    private static readonly TierFromOptions From = new()
    {
        Attribute = "plan",
        Groups = [
            new GroupTierOptions { Path = "/gold/plus", Tier = "enterprise" },
                new GroupTierOptions { Path = "/gold", Tier = "professional" }],
        RealmRoles = [
            new RoleTierOptions { Name = "vip", Tier = "professional" }, new RoleTierOptions { Name = "paying", Tier = "starter" }],
    };

    [Theory]
    [InlineData("", "", "", null)]
    [InlineData("starter", "/gold", "vip", "starter")]
    [InlineData("nonsense,starter", "/gold", "", "starter")]
    [InlineData("nonsense", "/gold", "", "professional")]
    [InlineData("Starter", "", "paying", "starter")]
    [InlineData("", "/other,/gold", "paying", "professional")]
    [InlineData("", "/gold,/gold/plus", "", "enterprise")]
    [InlineData("", "/gold/plus/deeper", "", "enterprise")]
    [InlineData("", "/gold/other", "", "professional")]
    [InlineData("", "/golden", "", null)]
    [InlineData("", "/customers/gold", "", null)]
    [InlineData("", "", "other,paying", "starter")]
    [InlineData("", "", "paying,vip", "professional")]
    [InlineData("", "", "VIP", null)]
    public void The_first_matching_rule_gives_the_tier(string plan, string groups, string roles, string? tier) =>
        Assert.Equal(tier, Map(From).Of(User(plan, groups, roles))?.Tier);

    [Fact]
    public void An_attribute_value_that_is_no_tier_is_reported_where_no_other_value_is_one()
    {
        Assert.Equal(new TierFromKeycloak("professional", "nonsense"), Map(From).Of(User("nonsense", "/gold", "")));
        Assert.Equal(new TierFromKeycloak("starter", null), Map(From).Of(User("nonsense,starter", "", "")));
        Assert.Equal(new TierFromKeycloak(null, null), Map(From).Of(User("", "", "")));
    }

    [Fact]
    public void A_user_that_was_not_read_in_full_has_no_mapped_tier()
    {
        Assert.Null(Map(From).Of(User("starter", "", "") with { Attributes = null }));
        Assert.Null(Map(From).Of(User("starter", "", "") with { Groups = null }));
        Assert.Null(Map(From).Of(User("starter", "", "") with { RealmRoles = null }));
        Assert.Null(Map(new TierFromOptions()).Of(User("starter", "/gold", "vip")));
    }

    [Fact]
    public void A_realm_s_mapping_replaces_the_default_one_and_its_amount_belongs_to_its_own_tier()
    {
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions
        {
            Amount = 7m,
            TierFrom = From,
            Realms =
            {
                ["other"] = new RealmRuleOptions { TierFrom = new TierFromOptions { Attribute = "level" } },
                ["none"] = new RealmRuleOptions { TierFrom = new TierFromOptions() },
            },
        }));

        Assert.Equal(("professional", 60m, "professional"), EvaluatedIn("shop"));
        Assert.Equal(("trial", 7m, null), EvaluatedIn("other"));
        Assert.Equal(("trial", 7m, null), EvaluatedIn("none"));
        Assert.True(policy.EvaluateDeleted("shop", "ana", AccountFixture.Start, HintSources.Poll).FollowsTiers);
        Assert.False(policy.EvaluateDeleted("none", "ana", AccountFixture.Start, HintSources.Poll).FollowsTiers);
        Assert.False(policy.RulesOf("shop").NeedsIdAlone || policy.RulesOf("other").NeedsIdAlone || !policy.RulesOf("none").NeedsIdAlone);

        (string Tier, decimal Amount, string? Said) EvaluatedIn(string realm)
        {
            var state = policy.Evaluate(User("", "/gold", "") with { Realm = realm }, AccountFixture.Start, HintSources.Poll);
            return (state.Opening!.Tier, state.Opening.Amount, state.TierFromKeycloak?.Tier);
        }
    }

    private static TierMap Map(TierFromOptions from) => new(from, new ProvisioningOptions().Tiers);

    private static Subject User(string? plan, string? groups, string? roles) => AccountFixture.User("ana") with
    {
        Attributes = string.IsNullOrEmpty(plan) ? new Dictionary<string, IReadOnlyList<string>>() : new Dictionary<string,
            IReadOnlyList<string>> { ["plan"] = Split(plan) },
        Groups = Split(groups),
        RealmRoles = Split(roles),
    };

    private static string[] Split(string? list) => list?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [];
}
