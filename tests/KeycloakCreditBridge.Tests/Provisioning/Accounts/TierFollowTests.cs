using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

public sealed class TierFollowTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_new_account_opens_with_the_tier_from_Keycloak_and_is_not_switched()
    {
        await using var fixture = await StartAsync();
        var result = await fixture.ReadAsync(User("ana", "professional"), User("bob", null));
        Assert.All(result.Changes, change => Assert.True(change.Opened));
        Assert.Equal(["ana professional 60.00 60.00 60.00 said professional", "bob trial 5.00 5.00 5.00"], await AccountsAsync(fixture));
        Assert.Equal(["credit.create"], await fixture.AuditAsync("ana"));
        Assert.Empty(await fixture.DifferencesAsync(User("ana", "professional"), User("bob", null)));
    }

    [Fact]
    public async Task An_account_follows_Keycloak_up_and_down_and_back_to_the_realm_s_own_tier()
    {
        await using var fixture = await StartAsync();
        await fixture.ReadAsync(User("ana", null));
        foreach (var (tier, expected) in new[]
        {
            ("professional", "ana professional 5.00 60.00 60.00 said professional"),
                ("starter", "ana starter 5.00 20.00 20.00 said starter"),
            ("enterprise", "ana enterprise 5.00 0.00 unlimited said enterprise"), (null, "ana trial 5.00 5.00 5.00"),
        })
        {
            Assert.Equal(["ana"], await fixture.DifferencesAsync(User("ana", tier)));
            var change = Assert.Single((await fixture.ReadAsync(User("ana", tier))).Changes);
            Assert.Equal(("ana", tier ?? "trial", 5m, false), (change.AccountId, change.Tier, change.Balance, change.Opened));
            Assert.Equal([expected], await AccountsAsync(fixture));
            Assert.Empty((await fixture.ReadAsync(User("ana", tier))).Changes);
            Assert.Empty(await fixture.DifferencesAsync(User("ana", tier)));
        }

        Assert.Equal(
            ["trial professional keycloak webhook", "professional starter keycloak webhook", "starter enterprise keycloak webhook",
                "enterprise trial keycloak webhook"],
            await SwitchesAsync(fixture));
    }

    [Fact]
    public async Task An_administrator_s_switch_stands_until_the_tier_in_Keycloak_changes()
    {
        await using var fixture = await StartAsync();
        await fixture.ReadAsync(User("ana", "starter"));
        await SwitchAsync(fixture, "enterprise");
        await fixture.ReadAsync(User("ana", "starter"));
        Assert.Empty(await fixture.DifferencesAsync(User("ana", "starter")));
        Assert.Equal(["ana enterprise 20.00 20.00 20.00 said starter"], await AccountsAsync(fixture));

        await fixture.ReadAsync(User("ana", "professional"));
        Assert.Equal(["ana professional 20.00 60.00 60.00 said professional"], await AccountsAsync(fixture));
        await SwitchAsync(fixture, "starter");
        await fixture.ReadAsync(User("ana", "starter"));
        Assert.Equal(["ana starter 20.00 60.00 60.00 said starter"], await AccountsAsync(fixture));
        Assert.Equal(["enterprise professional keycloak webhook"], await SwitchesAsync(fixture));
    }

    [Fact]
    public async Task The_first_reading_after_a_mapping_was_configured_switches_mapped_users_and_no_others()
    {
        await using var fixture = await StartAsync();
        await fixture.ReadAsync(User("ana", null), User("bob", null));
        await SwitchAsync(fixture, "enterprise");
        await fixture.ReadAsync(User("ana", "starter"), User("bob", null));
        Assert.Equal(["ana starter 5.00 20.00 20.00 said starter", "bob enterprise 5.00 5.00 5.00"], await AccountsAsync(fixture));
    }

    [Fact]
    public async Task An_older_reading_changes_nothing()
    {
        await using var fixture = await StartAsync();
        var older = fixture.Evaluate(User("ana", "professional"));
        await fixture.ReadAsync(User("ana", "starter"));
        await fixture.ConvergeAsync(older);
        Assert.Equal(["ana starter 20.00 20.00 20.00 said starter"], await AccountsAsync(fixture));
        Assert.Empty(await SwitchesAsync(fixture));
    }

    [Fact]
    public async Task A_held_account_follows_and_a_closed_one_does_when_it_is_open_again()
    {
        await using var fixture = await StartAsync();
        await fixture.ReadAsync(User("ana", "starter"), User("bob", "starter"));
        await fixture.ReadAsync(User("ana", "professional") with { Enabled = false });
        await fixture.DeleteAsync("bob");
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed', status_reason = 'fraud' where user_id = 'bob'");
        await fixture.ReadAsync(User("bob", "professional"));
        Assert.Equal(
            ["ana professional 20.00 60.00 60.00 said professional", "bob starter 20.00 20.00 20.00 said starter"],
                await AccountsAsync(fixture));
        Assert.Empty(await fixture.DifferencesAsync(User("bob", "professional")));

        await fixture.Database.ExecuteAsync("update user_credits set status = 'active', status_reason = null where user_id = 'bob'");
        Assert.Equal(["bob"], await fixture.DifferencesAsync(User("bob", "professional")));
        await fixture.ReadAsync(User("bob", "professional"));
        Assert.Equal("bob professional 20.00 60.00 60.00 said professional", (await AccountsAsync(fixture))[1]);
        await fixture.DeleteAsync("bob");
        await fixture.ReadAsync(User("bob", "enterprise"));
        Assert.Equal("bob enterprise 20.00 0.00 unlimited said enterprise", (await AccountsAsync(fixture))[1]);
    }

    [Fact]
    public async Task An_excluded_user_later_opens_with_the_tier_that_Keycloak_has_then()
    {
        var options = Options();
        options.Eligibility.EmailVerified = true;
        await using var fixture = await StartAsync(options: options);
        await fixture.ReadAsync(User("ana", "starter") with { EmailVerified = false, Email = "a@example.com" });
        Assert.Empty(await fixture.DifferencesAsync(User("ana", "professional") with { EmailVerified = false, Email = "a@example.com" }));
        await fixture.ReadAsync(User("ana", "professional") with { EmailVerified = true, Email = "a@example.com" });
        Assert.Equal(["ana professional 60.00 60.00 60.00 said professional"], await AccountsAsync(fixture));
        Assert.Empty(await SwitchesAsync(fixture));
    }

    [Fact]
    public async Task An_account_from_before_the_bridge_follows_when_its_user_is_read()
    {
        await using var fixture = await StartAsync();
        await fixture.Database.ExecuteAsync(
            """
            insert into user_credits (user_id, credits_remaining, tier) values ('ana', 3, 'free'), ('bob', 4, 'starter');
            insert into credit_transactions (user_id, amount, transaction_type) values ('ana', 3, 'purchase'), ('bob', 4, 'purchase');
            """);
        await fixture.ReadAsync(User("ana", "professional"), User("bob", "starter"));
        Assert.Equal(
            ["ana professional 3.00 60.00 60.00 said professional", "bob starter 4.00 0.00 said starter"], await AccountsAsync(fixture));
        Assert.Equal(["free professional keycloak webhook"], await SwitchesAsync(fixture));
    }

    [Fact]
    public async Task Pro_rating_adds_or_takes_the_difference_for_the_rest_of_the_period()
    {
        await using var fixture = await StartAsync(proRate: true);
        await fixture.ReadAsync(User("ana", "starter"));
        await fixture.Database.ExecuteAsync("update user_credits set last_reset = now() + interval '15 days'");
        var up = Assert.Single((await fixture.ReadAsync(User("ana", "professional"))).Changes);
        Assert.InRange(up.Balance!.Value, 39.99m, 40m);
        await fixture.ReadAsync(User("ana", "starter"));
        Assert.Equal(
            ["20.00 to 40.00 starter professional keycloak", "-20.00 to 20.00 professional starter keycloak"],
            await fixture.Database.QueryAsync<string>(
                """
                select concat_ws(' ', round(amount, 2), 'to', round(balance_after, 2), metadata ->> 'from', metadata ->> 'to',
                    metadata ->> 'by')
                from credit_transactions where transaction_type = 'adjustment' and metadata ->> 'reason' = 'tier_switch' order by created_at
                """));
    }

    [Fact]
    public async Task A_failed_switch_rolls_back_everything_of_its_user()
    {
        await using var fixture = await StartAsync();
        await fixture.ReadAsync(User("ana", "starter"), User("bob", "starter"));
        await fixture.Database.ExecuteAsync(
            "alter table user_credits add constraint small check (user_id <> 'ana' or credits_allocated < 50)");
        var result = await fixture.ReadAsync(User("ana", "professional") with { Enabled = false }, User("bob", "professional"));
        Assert.Equal("ana", Assert.Single(result.Refusals).DesiredState.KeycloakId);
        Assert.Equal(
            ["ana starter 20.00 20.00 20.00 said starter", "bob professional 20.00 60.00 60.00 said professional"],
                await AccountsAsync(fixture));
        Assert.Equal(["ana account ana", "bob account bob"], await fixture.KnownAsync());
    }

    internal static ProvisioningOptions Options(bool proRate = false) =>
        new() { ProRate = proRate, TierFrom = new TierFromOptions { Attribute = "plan" } };

    internal static Subject User(string id, string? plan) => AccountFixture.User(id) with
    {
        Attributes = plan is null ? new Dictionary<string, IReadOnlyList<string>>() : new Dictionary<string,
            IReadOnlyList<string>> { ["plan"] = [plan] },
    };

    private Task<AccountFixture> StartAsync(bool proRate = false, ProvisioningOptions? options = null) =>
        AccountFixture.StartAsync(postgres, options ?? Options(proRate));

    /// <summary>`account tier balance allocated cap`, and what Keycloak said.</summary>
    private static Task<IReadOnlyList<string>> AccountsAsync(AccountFixture fixture) => fixture.Database.QueryAsync<string>(
        """
        select concat_ws(' ', c.user_id, c.tier, c.credits_remaining::numeric(9, 2), c.credits_allocated::numeric(9, 2),
            c.monthly_cap::numeric(9, 2),
            case when c.unlimited then 'unlimited' end, 'said ' || k.tier)
        from user_credits c left join keycloak_users k on k.account_id = c.user_id order by c.user_id collate "C"
        """);

    private static Task<IReadOnlyList<string>> SwitchesAsync(AccountFixture fixture) => fixture.Database.QueryAsync<string>(
        """
        select concat_ws(' ', metadata ->> 'from', metadata ->> 'to', metadata ->> 'by', metadata ->> 'source')
        from audit_logs where action = 'tier.switch' order by id
        """);

    // As an administrator over the API. That it leaves the tier from Keycloak on record has a test of its own.
    private static Task<int> SwitchAsync(AccountFixture fixture, string tier) =>
        fixture.Database.ExecuteAsync("update user_credits set tier = @tier", new { tier });
}
