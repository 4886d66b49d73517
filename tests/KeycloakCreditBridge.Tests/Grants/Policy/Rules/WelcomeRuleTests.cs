using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Tests.Grants.Policy.Rules;

public sealed class WelcomeRuleTests
{
    private static readonly DateTimeOffset Created = new(2026, 12, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("/sales", "/sales", true)]
    [InlineData("/sales", "/sales/north", false)]
    [InlineData("/sales", "/Sales", false)]
    [InlineData("/sales/*", "/sales/north", true)]
    [InlineData("/sales/*", "/sales", false)]
    [InlineData("/sales/*", "/salesmen/x", false)]
    public void A_group_is_its_whole_path_and_a_star_its_subgroups(string group, string path, bool matches) =>
        Assert.Equal(matches, Rule(new RuleWhenOptions { Group = group }).Matches(User() with { Groups = ["/other", path] }));

    [Theory]
    [InlineData("example.com", "ana@example.com", true)]
    [InlineData("Example.COM", "ana@EXAMPLE.com", true)]
    [InlineData("example.com", "ana@sub.example.com", false)]
    [InlineData("example.com", "ana@notexample.com", false)]
    [InlineData("*.edu.example", "ana@uni.edu.example", true)]
    [InlineData("*.edu.example", "ana@a.b.edu.example", true)]
    [InlineData("*.edu.example", "ana@edu.example", false)]
    [InlineData("bücher.example", "ana@xn--bcher-kva.example", true)]
    [InlineData("xn--bcher-kva.example", "ana@BÜCHER.example", true)]
    [InlineData("example.com", "ana", false)]
    [InlineData("example.com", "ana@", false)]
    public void A_domain_is_a_whole_one_in_any_spelling_and_a_star_those_below(string domain, string email, bool matches) => Assert.Equal(
        matches, Rule(new RuleWhenOptions { EmailDomain = domain }).Matches(User() with { Email = email, EmailVerified = true }));

    [Fact]
    public void The_domain_of_an_unverified_address_counts_for_nothing() => Assert.False(
        Rule(new RuleWhenOptions { EmailDomain = "example.com" }).Matches(User() with { Email = "ana@example.com" }));

    [Fact]
    public void All_conditions_of_a_rule_must_hold()
    {
        var rule = Rule(new RuleWhenOptions
        {
            Role = "partner", IdentityProvider = "github", Attribute = "plan=gold", AdministratorsOnly = true,
        });
        var user = User() with
        {
            RealmRoles = ["partner"], IdentityProviders = ["github"],
            Attributes = new Dictionary<string, IReadOnlyList<string>> { ["plan"] = ["silver", "gold"] },
        };
        Assert.True(rule.Matches(user));
        Assert.False(rule.Matches(user with { RealmRoles = [] }));
        Assert.False(rule.Matches(user with { IdentityProviders = ["google"] }));
        Assert.False(rule.Matches(user with { Attributes = new Dictionary<string, IReadOnlyList<string>>() }));
    }

    [Fact]
    public void The_first_rule_that_matches_decides_and_a_budget_has_the_next_ones_behind_it()
    {
        var terms = Terms(
            Options("a", 20m, "/a", budget: 100m), Options("b", 10m, "/b"), Options("c", 8m, "/a", budget: 50m), Options("d", 7m, "/a"),
            Options("e", 6m, "/a"));
        Assert.Equal(["b 9 ", ], Choices(terms, ["/b"]));
        Assert.Equal(["a 19 100", "c 7 50", "d 6 "], Choices(terms, ["/a"]));
        Assert.Equal([" 4 "], Choices(terms, ["/z"]));
    }

    [Fact]
    public void A_user_that_was_not_read_in_full_is_undecided_and_nothing_is_given()
    {
        var terms = Terms(Options("a", 20m, "/a"));
        var plan = GrantPlan.Of(User(), new AccountFacts(Created, 4m, 1m), terms, Created);
        Assert.Empty(plan.Due);
        Assert.True(plan.Offers.Single().IsUndecided);
    }

    [Fact]
    public void The_last_rule_without_conditions_is_for_everyone_else()
    {
        var terms = Terms(Options("a", 20m, "/a"), new WelcomeRuleOptions { Credits = 2m });
        Assert.Equal(["rule-1 1 "], Choices(terms, ["/z"]));
    }

    private static string[] Choices(WelcomeTerms terms, string[] groups)
    {
        var plan = GrantPlan.Of(User() with { Groups = groups }, new AccountFacts(Created, 4m, 1m), terms, Created);
        return [.. plan.Due.Single().Choices.Select(
            choice => FormattableString.Invariant($"{choice.Rule} {choice.Credits} {choice.Budget?.Credits}"))];
    }

    private static WelcomeTerms Terms(params WelcomeRuleOptions[] rules) =>
        new(new WelcomeOptions { Credits = 5m, Before = 1m, Rules = [.. rules] });

    private static WelcomeRuleOptions Options(string name, decimal credits, string group, decimal? budget = null) => new()
    {
        Name = name, Credits = credits, When = new RuleWhenOptions { Group = group },
        Budget = budget is { } most ? new RuleBudgetOptions { Credits = most, Per = BudgetPeriod.Total } : null,
    };

    private static WelcomeRule Rule(RuleWhenOptions when) => new(new WelcomeRuleOptions { When = when, Credits = 10m }, 0);

    private static GrantUser User() => new("shop", "ana", Created);
}
