using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Grants.Awards.WelcomeGateTests;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Awards;

/// <summary>What a policy withholds is paid on no other way.</summary>
public sealed class WithheldCreditsTests(PostgresFixture postgres)
{
    private const string Address = "ana@example.com";

    [Theory]
    [InlineData("free")]
    [InlineData("starter")]
    public async Task A_tier_switch_pays_nothing_of_what_is_withheld(string tier)
    {
        await using var fixture = await StartAsync(postgres, Gate(), new ProvisioningOptions { ProRate = true });
        await fixture.ReadAsync(Unverified("ana"));
        for (var rounds = 0; rounds < 3; rounds++)
        {
            await fixture.SwitchAsync("ana", tier);
            await fixture.SwitchAsync("ana", "trial");
        }

        // Each step of a round comes a second later, so that a round leaves what that second is worth.
        Assert.InRange(await BalanceAsync(fixture), 0.99m, 1.001m);
        await fixture.SwitchAsync("ana", tier);
        Assert.InRange(await BalanceAsync(fixture), tier == "free" ? 0m : 15.99m, tier == "free" ? 0.001m : 16.001m);
        await fixture.ReadAsync(User("ana", Address));
        Assert.InRange(await BalanceAsync(fixture), tier == "free" ? 4m : 19.99m, tier == "free" ? 4.001m : 20.001m);
    }

    [Fact]
    public async Task A_disabled_policy_pays_nothing_more_and_still_withholds()
    {
        await using var fixture = await StartAsync(postgres, Gate());
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.Database.ExecuteAsync("update grant_policies set disabled_at = now()");
        await fixture.ReadAsync(User("ana", Address), User("bob", "bob@example.com"));
        Assert.Equal(["ana active 1.00 of ana", "bob active 1.00 of bob"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task While_a_replica_of_an_older_program_runs_accounts_open_as_without_the_policy()
    {
        await using var fixture = await StartAsync(postgres, Gate());
        await fixture.Database.ExecuteAsync(
            "insert into replicas (id, version, last_migration, started_at, last_seen) values ('old', '1.0', 39, now(), now())");
        await fixture.ReadAsync(Unverified("ana"));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
        await fixture.Database.ExecuteAsync("delete from replicas");
        await fixture.Restart(Gate()).ReadAsync(User("ana", Address), Unverified("bob"));
        Assert.Equal(["ana active 5.00 of ana", "bob active 1.00 of bob"], await fixture.AccountsAsync());
    }

    private static Task<decimal> BalanceAsync(AccountFixture fixture) =>
        fixture.Database.ScalarAsync<decimal>("select credits_remaining from user_credits");
}
