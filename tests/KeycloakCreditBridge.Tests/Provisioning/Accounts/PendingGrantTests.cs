using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>One reading that shows a verified address and something else that decides the grant.</summary>
public sealed class PendingGrantTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData("trial", "professional", "60.00")]
    [InlineData("professional", "trial", "5.00")]
    public async Task A_reading_with_a_verified_address_and_another_tier_pays_the_new_tiers_credits_once(
        string before, string after, string balance)
    {
        var options = OncePerEmail();
        (options.ProRate, options.TierFrom.Attribute) = (true, "plan");
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Planned(Unverified("ana"), before));
        await fixture.ReadAsync(Planned(User("ana", "ana@example.com"), after));
        Assert.Equal([$"ana active {balance} of ana"], await fixture.AccountsAsync());
    }

    [Theory]
    [InlineData("trial", "professional", true, 60)]
    [InlineData("trial", "professional", false, 60)]
    [InlineData("professional", "trial", true, 5)]
    [InlineData("trial", "enterprise", true, 0)]
    public async Task An_administrators_switch_while_the_grant_waits_decides_the_grant(string before, string after, bool proRate, int paid)
    {
        var options = OncePerEmail();
        (options.ProRate, options.Tier) = (proRate, before);
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.SwitchAsync("ana", after);

        await fixture.ReadAsync(User("ana", "ana@example.com"));

        Assert.Equal([$"ana active {paid}.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(
            $"{after} {paid}",
            await fixture.Database.ScalarAsync<string>("select tier || ' ' || credits_allocated::int from user_credits"));
        // And the other way round: what the grant paid is what a switch takes back, and no more.
        await fixture.SwitchAsync("ana", before);
        await fixture.SwitchAsync("ana", after);
        await fixture.SwitchAsync("ana", before);
        var balance = await fixture.Database.ScalarAsync<decimal>("select credits_remaining from user_credits");
        // A step down in the next second leaves what that second is worth.
        Assert.InRange(balance, 0, proRate && after != "enterprise" ? options.Tiers[before].Credits + 0.001m : paid);
    }

    [Fact]
    public async Task The_waiting_grant_pays_a_switched_tier_as_it_is_configured_then()
    {
        var options = OncePerEmail();
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.SwitchAsync("ana", "professional");
        var raised = OncePerEmail();
        raised.Tiers["professional"].Credits = 80;

        await fixture.ReadAsync(raised, User("ana", "ana@example.com"));

        Assert.Equal(["ana active 80.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_waiting_grant_of_a_tier_that_is_not_configured_any_more_pays_what_the_switch_allocated()
    {
        var options = OncePerEmail();
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.SwitchAsync("ana", "professional");
        await fixture.Database.ExecuteAsync("update user_credits set tier = 'gold'");
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 60.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_switch_of_a_waiting_account_by_a_replica_whose_clock_is_minutes_ahead_is_granted_once()
    {
        var options = OncePerEmail();
        options.ProRate = true;
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.SwitchAsync("ana", "professional", TimeSpan.FromMinutes(3));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.SwitchAsync("ana", "trial");
        await fixture.SwitchAsync("ana", "professional", TimeSpan.FromMinutes(3));
        Assert.InRange(await fixture.Database.ScalarAsync<decimal>("select credits_remaining from user_credits"), 59.9m, 60m);
    }

    [Fact]
    public async Task A_verified_reading_that_meets_an_unverified_first_one_gets_the_grant_once()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        for (var round = 0; round < 10; round++)
        {
            var (id, email) = ($"u{round}", $"u{round}@example.com");
            var (older, newer) = (fixture.Evaluate(Unverified(id, email)), fixture.Evaluate(User(id, email)));
            await Task.WhenAll(Task.Run(() => fixture.ConvergeAsync(older)), Task.Run(() => fixture.ConvergeAsync(newer)));
        }

        Assert.Equal(
            10, await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from user_credits where credits_remaining = 5 and not grant_pending"));
    }

    [Fact]
    public async Task A_user_that_verifies_an_address_outside_the_rules_gets_no_grant_and_gets_it_within_them()
    {
        var options = OncePerEmail();
        options.Eligibility.EmailDomains.Add("corp.example");
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Unverified("ana", "boss@corp.example"));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 0.00 of ana"], await fixture.AccountsAsync());
        await fixture.ReadAsync(User("ana", "ana@corp.example"));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }
}
