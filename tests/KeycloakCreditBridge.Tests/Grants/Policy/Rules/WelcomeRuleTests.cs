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
    public void Organisation_client_and_invitation_decide_as_they_were_read()
    {
        var links = new InviteLinks(new string('i', 32));
        var invited = new Attribution(null, null, null, null, null, links.Make("spring", Created.AddDays(1))) { At = Created };
        Assert.True(Rule(new RuleWhenOptions { Organization = "acme" }).Matches(User() with { Organizations = ["acme", "other"] }));
        Assert.False(Rule(new RuleWhenOptions { Organization = "acme" }).Matches(User() with { Organizations = ["Acme"] }));
        Assert.True(Rule(new RuleWhenOptions { Client = "app" }).Matches(User() with { Registration = new("app", null) }));
        Assert.False(Rule(new RuleWhenOptions { Client = "app" }).Matches(User() with { Registration = Registration.Unknown }));
        var rule = new WelcomeRule(new WelcomeRuleOptions { When = new RuleWhenOptions { Invite = "spring" } }, 0, links);
        Assert.True(rule.Matches(User(), invited));
        Assert.False(rule.Matches(User(), invited with { At = Created.AddDays(2) }));
        Assert.False(rule.Matches(User(), invited with { At = null }));
        Assert.False(rule.Matches(User(), invited with { Ref = "spring" }));
        Assert.False(rule.Matches(User()));
    }

    [Fact]
    public void A_rule_waits_until_what_it_asks_for_was_read()
    {
        var terms = new WelcomeTerms(new WelcomeOptions
        {
            Credits = 5m,
            Rules =
            [
                new() { When = new() { Organization = "acme" }, Credits = 9m }, new() { When = new() { Client = "app" }, Credits = 7m },
            ],
        });
        var facts = new AccountFacts(Created, 5m);
        Assert.True(GrantPlan.Of(User() with { Organizations = [] }, facts, terms, Created).Offers.Single().IsUndecided);
        Assert.True(GrantPlan.Of(User() with { Registration = Registration.Unknown }, facts, terms, Created).Offers.Single().IsUndecided);
        var read = User() with { Organizations = [], Registration = new("app", null) };
        Assert.Equal(7m, GrantPlan.Of(read, facts, terms, Created).Due.Single().Credits);
        Assert.Equal(9m, GrantPlan.Of(read with { Organizations = ["acme"] }, facts, terms, Created).Due.Single().Credits);
    }

    [Fact]
    public void A_posted_attribution_counts_before_that_of_the_registration()
    {
        var terms = new WelcomeTerms(new WelcomeOptions
        {
            Credits = 5m, DecideAfter = TimeSpan.FromMinutes(1),
            Rules = [new() { When = new() { Source = "letter" }, Credits = 9m, Budget = new() { Credits = 90m } }],
        });
        var (now, facts) = (Created.AddMinutes(1), new AccountFacts(Created, 5m));
        var user = User() with { Registration = new("app", new("letter", null, null, null, null, null)) };
        Assert.Equal(9m, GrantPlan.Of(user, facts, terms, now).Due.Single().Credits);
        var posted = facts with { Attribution = new("other", null, null, null, null, null) };
        Assert.Equal(5m, GrantPlan.Of(user, posted, terms, now).Due.Single().Credits);
    }

    [Theory]
    [InlineData(0, 59, true)]
    [InlineData(0, 60, false)]
    [InlineData(600, 59, true)]
    [InlineData(600, 60, false)]
    [InlineData(-3600, 0, false)]
    public void The_rules_are_asked_a_while_after_the_creation_also_where_clocks_differ(int created, int now, bool waits)
    {
        var terms = new WelcomeTerms(new WelcomeOptions { Credits = 5m, DecideAfter = TimeSpan.FromMinutes(1) });
        Assert.Equal(new Share(0m, 5m), terms.ShareOf(User(), 3m));
        var user = new GrantUser("shop", "ana", Created.AddSeconds(created));
        var plan = GrantPlan.Of(user, new AccountFacts(Created, 5m), terms, Created.AddSeconds(now));
        Assert.Equal(waits ? Created.AddMinutes(1) : null, plan.DecidesAt);
        Assert.Equal(waits ? 0 : 1, plan.Due.Count);
    }

    [Fact]
    public void The_welcome_ends_as_the_opening_grant_where_it_says_nothing()
    {
        static TimeSpan? EndOf(TimeSpan? own) => new WelcomeTerms(
            new WelcomeOptions { Credits = 5m, ExpiresAfter = own }, opening: TimeSpan.FromDays(30)).ExpiresAfter;
        Assert.Equal(TimeSpan.FromDays(30), EndOf(null));
        Assert.Equal(TimeSpan.FromDays(7), EndOf(TimeSpan.FromDays(7)));
    }

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
