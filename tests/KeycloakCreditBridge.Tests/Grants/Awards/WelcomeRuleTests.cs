using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Awards;

/// <summary>Welcome credits by where a user comes from.</summary>
public sealed class WelcomeRuleTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_rule_pays_its_credits_with_its_tier_and_says_so()
    {
        await using var fixture = await StartAsync(postgres, Rules(Partners(tier: "professional")));
        await fixture.ReadAsync(Partner("ana"), Other("bob"));
        Assert.Equal(["ana active 20.00 of ana", "bob active 5.00 of bob"], await fixture.AccountsAsync());
        Assert.Equal(
            ["ana professional 60 partners professional", "bob trial 5 trial"],
            await fixture.Database.QueryAsync<string>(
                """
                select concat_ws(' ', c.user_id, c.tier, c.monthly_cap::int, t.metadata ->> 'rule', t.metadata ->> 'tier')
                from user_credits c join credit_transactions t on t.user_id = c.user_id and t.grant_key = 'welcome' order by 1
                """));
    }

    [Fact]
    public async Task The_tier_of_Keycloak_wins_over_that_of_a_rule()
    {
        var provisioning = new ProvisioningOptions();
        provisioning.TierFrom.Groups.Add(new GroupTierOptions { Path = "/partners", Tier = "starter" });
        await using var fixture = await StartAsync(postgres, Rules(Partners(tier: "professional")), provisioning);
        await fixture.ReadAsync(Partner("ana"));
        Assert.Equal("starter", await fixture.Database.ScalarAsync<string>("select tier from user_credits"));
    }

    [Fact]
    public async Task The_decision_is_made_once()
    {
        await using var fixture = await StartAsync(postgres, Rules(Partners()));
        await fixture.ReadAsync(Other("ana"));
        await fixture.ReadAsync(Partner("ana"));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task What_a_listing_shows_decides_nothing_and_leaves_a_hint_to_read_the_user_in_full()
    {
        await using var fixture = await StartAsync(postgres, Rules(Partners()));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 0.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["ana"], await fixture.Database.QueryAsync<string>("select keycloak_id from user_hints"));

        await fixture.ReadAsync(Partner("ana"));

        Assert.Equal(["ana active 20.00 of ana"], await fixture.AccountsAsync());
        await fixture.Database.ExecuteAsync("delete from user_hints");
        Assert.Empty(await fixture.DifferencesAsync(User("ana", "ana@example.com")));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Empty(await fixture.Database.QueryAsync<string>("select keycloak_id from user_hints"));
    }

    [Fact]
    public async Task A_budget_that_is_used_up_leads_to_the_next_rule_and_never_fails_an_account()
    {
        await using var fixture = await StartAsync(postgres, Rules(Partners(budget: 50m), Partners("fallback", 10m, budget: 10m)));
        await fixture.ReadAsync([.. Enumerable.Range(0, 6).Select(number => Partner($"p{number}"))]);
        await fixture.ReadAsync([.. Enumerable.Range(0, 6).Select(number => Partner($"p{number}"))]);
        Assert.Equal([5m, 5m, 5m, 10m, 20m, 20m], await fixture.Database.QueryAsync<decimal>(
            "select credits_remaining from user_credits order by 1"));
        Assert.Equal(50m, await fixture.Database.ScalarAsync<decimal>("select sum(given) from grant_budgets"));
        Assert.Equal(["partners", "partners,fallback"], await fixture.Database.QueryAsync<string>(
            "select distinct metadata ->> 'budget_exhausted' from audit_logs where metadata ? 'budget_exhausted' order by 1"));
    }

    [Fact]
    public async Task Two_batches_at_once_never_pass_a_budget()
    {
        await using var fixture = await StartAsync(postgres, Rules(Partners(budget: 200m)));
        var other = fixture.Restart(Rules(Partners(budget: 200m)));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(part => Task.Run(() => (part % 2 == 0 ? fixture : other).ReadAsync(
            [.. Enumerable.Range(0, 10).Select(number => Partner($"p{part}-{number}"))]))));
        Assert.Equal("10 of 20.00, 70 of 5.00", await fixture.Database.ScalarAsync<string>(
            """
            select string_agg(n || ' of ' || amount, ', ' order by amount desc) from (
                select count(*) as n, credits_remaining::numeric(9, 2) as amount from user_credits group by credits_remaining) a
            """));
        Assert.Equal(200m, await fixture.Database.ScalarAsync<decimal>("select sum(given) from grant_budgets"));
    }

    [Fact]
    public async Task A_grant_that_is_not_given_takes_nothing_from_the_budget()
    {
        await using var fixture = await StartAsync(postgres, Rules(Partners(budget: 100m)), OncePerEmail());
        await fixture.ReadAsync(Partner("ana", "ana@example.com"), Partner("bob", "ana@example.com"));
        Assert.Equal(["ana active 20.00 of ana", "bob active 0.00 of bob"], await fixture.AccountsAsync());
        Assert.Equal(20m, await fixture.Database.ScalarAsync<decimal>("select sum(given) from grant_budgets"));
    }

    private static GrantsOptions Rules(params WelcomeRuleOptions[] rules) =>
        new() { Welcome = new WelcomeOptions { Credits = 5m, Rules = [.. rules] } };

    private static WelcomeRuleOptions Partners(
        string name = "partners", decimal credits = 20m, string tier = "", decimal? budget = null) => new()
    {
        Name = name, Credits = credits, Tier = tier, When = new RuleWhenOptions { Group = "/partners" },
        Budget = budget is { } most ? new RuleBudgetOptions { Credits = most, Per = BudgetPeriod.Day } : null,
    };

    private static Subject Partner(string id, string? email = null) =>
        User(id, email ?? $"{id}@example.com") with { Groups = ["/partners"] };

    private static Subject Other(string id) => User(id, $"{id}@example.com") with { Groups = ["/customers"] };
}
