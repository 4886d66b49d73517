using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Awards;

/// <summary>What users get more who meet a rule after their welcome was decided.</summary>
public sealed class TopUpTests(PostgresFixture postgres)
{
    private static GrantsOptions Rules(decimal? budget = null) => new()
    {
        Welcome = new WelcomeOptions
        {
            Credits = 5m,
            Rules =
            [
                new()
                {
                    Name = "partners", When = new() { Group = "/partners" }, Credits = 60m, Tier = "professional", TopUp = true,
                    Budget = budget is null ? null : new() { Credits = budget.Value },
                },
                new() { Name = "staff", When = new() { Group = "/staff" }, Credits = 20m, Tier = "starter", TopUp = true },
            ],
        },
    };

    [Fact]
    public async Task The_difference_is_paid_once_for_each_tier_however_often_groups_change()
    {
        await using var fixture = await StartAsync(postgres, Rules());
        await fixture.ReadAsync(In("ana"));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
        foreach (var group in (string[])["/staff", "/partners", "/staff", "/partners"])
            await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => fixture.ReadAsync(In("ana", group)))));

        Assert.Equal(
            [
                "ana signup 0.00 initial_allocation", "ana topup:professional 40.00 policy", "ana topup:starter 15.00 policy",
                "ana welcome 5.00 initial_allocation",
            ],
            (await fixture.LedgerAsync()).Order(StringComparer.Ordinal));
        Assert.Equal("professional", await fixture.Database.ScalarAsync<string>("select tier from user_credits"));
        await fixture.Database.AssertLedgerAsync();
    }

    [Fact]
    public async Task Who_had_the_rule_from_the_beginning_gets_nothing_more_and_older_accounts_neither()
    {
        await using var fixture = await StartAsync(postgres, new GrantsOptions());
        await fixture.ReadAsync(In("old"));
        var later = fixture.Restart(Rules());
        await later.ReadAsync(In("ana", "/partners"));
        for (var readings = 0; readings < 2; readings++)
            await later.ReadAsync(In("ana", "/staff"), In("old", "/partners"));
        Assert.Equal(["ana active 60.00 of ana", "old active 5.00 of old"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_budget_limits_top_ups_too()
    {
        await using var fixture = await StartAsync(postgres, Rules(budget: 60m));
        await fixture.ReadAsync(In("ana"), In("bob"));
        await fixture.ReadAsync(In("ana", "/partners"));
        await fixture.ReadAsync(In("bob", "/partners"));
        Assert.Equal(["ana active 60.00 of ana", "bob active 5.00 of bob"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_listing_that_shows_no_groups_tops_nothing_up()
    {
        await using var fixture = await StartAsync(postgres, Rules());
        await fixture.ReadAsync(In("ana"));
        await fixture.ReadAsync(User("ana"));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }

    private static KeycloakCreditBridge.Provisioning.Policy.Subject In(string id, params string[] groups) =>
        User(id) with { Groups = groups, IsReadInFull = true };
}
