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
        await using var scene = await StartAsync(postgres, options);
        await scene.ReadAsync(Planned(Unverified("ana"), before));
        await scene.ReadAsync(Planned(User("ana", "ana@example.com"), after));
        Assert.Equal([$"ana active {balance} of ana"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task A_user_that_verifies_an_address_outside_the_rules_gets_no_grant_and_gets_it_within_them()
    {
        var options = OncePerEmail();
        options.Eligibility.EmailDomains.Add("corp.example");
        await using var scene = await StartAsync(postgres, options);
        await scene.ReadAsync(Unverified("ana", "boss@corp.example"));
        await scene.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 0.00 of ana"], await scene.AccountsAsync());
        await scene.ReadAsync(User("ana", "ana@corp.example"));
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
    }
}
