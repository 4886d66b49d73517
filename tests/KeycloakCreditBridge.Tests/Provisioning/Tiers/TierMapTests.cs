using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning;
using KeycloakCreditBridge.Provisioning.Tiers;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Tiers;

public sealed class TierMapTests
{
    private static readonly TierFromOptions From = new()
    {
        Attribute = "plan",
        Groups = [new GroupTierOptions { Path = "/gold/plus", Tier = "enterprise" }, new GroupTierOptions { Path = "/gold", Tier = "professional" }],
        RealmRoles = [new RoleTierOptions { Name = "vip", Tier = "professional" }, new RoleTierOptions { Name = "paying", Tier = "starter" }],
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
    public void The_first_rule_that_says_something_says_the_tier(string plan, string groups, string roles, string? tier) =>
        Assert.Equal(tier, Map(From).Of(Person(plan, groups, roles))?.Tier);

    [Fact]
    public void A_value_that_is_no_tier_is_told_where_no_other_value_is_one()
    {
        Assert.Equal(new TierWord("professional", "nonsense"), Map(From).Of(Person("nonsense", "/gold", "")));
        Assert.Equal(new TierWord("starter", null), Map(From).Of(Person("nonsense,starter", "", "")));
        Assert.Equal(new TierWord(null, null), Map(From).Of(Person("", "", "")));
    }

    [Fact]
    public void Of_whom_not_all_was_read_nothing_is_said()
    {
        Assert.Null(Map(From).Of(Person("starter", "", "") with { Attributes = null }));
        Assert.Null(Map(From).Of(Person("starter", "", "") with { Groups = null }));
        Assert.Null(Map(From).Of(Person("starter", "", "") with { RealmRoles = null }));
        Assert.Null(Map(new TierFromOptions()).Of(Person("starter", "/gold", "vip")));
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

        Assert.Equal(("professional", 60m, "professional"), JudgedIn("shop"));
        Assert.Equal(("trial", 7m, null), JudgedIn("other"));
        Assert.Equal(("trial", 7m, null), JudgedIn("none"));
        Assert.True(policy.JudgeGone("shop", "ana", AccountScene.Start, HintSources.Poll).FollowsTiers);
        Assert.False(policy.JudgeGone("none", "ana", AccountScene.Start, HintSources.Poll).FollowsTiers);
        Assert.False(policy.RulesOf("shop").NeedsIdAlone || policy.RulesOf("other").NeedsIdAlone || !policy.RulesOf("none").NeedsIdAlone);

        (string Tier, decimal Amount, string? Said) JudgedIn(string realm)
        {
            var judgement = policy.Judge(Person("", "/gold", "") with { Realm = realm }, AccountScene.Start, HintSources.Poll);
            return (judgement.Opening!.Tier, judgement.Opening.Amount, judgement.TierSaid?.Tier);
        }
    }

    private static TierMap Map(TierFromOptions from) => new(from, new ProvisioningOptions().Tiers);

    private static Subject Person(string? plan, string? groups, string? roles) => AccountScene.Person("ana") with
    {
        Attributes = string.IsNullOrEmpty(plan) ? new Dictionary<string, IReadOnlyList<string>>() : new Dictionary<string, IReadOnlyList<string>> { ["plan"] = Split(plan) },
        Groups = Split(groups),
        RealmRoles = Split(roles),
    };

    private static string[] Split(string? list) => list?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [];
}
