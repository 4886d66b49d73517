using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

public sealed class EligibilityTests(PostgresFixture postgres)
{
    private static ProvisioningOptions Verified => new() { Eligibility = { EmailVerified = true } };

    [Fact]
    public async Task An_excluded_user_is_recorded_with_the_reason_and_gets_the_grant_when_the_reason_ends()
    {
        await using var fixture = await StartAsync(postgres, Verified);
        var ana = User("ana", "ana@example.com");
        await fixture.ReadAsync(ana with { EmailVerified = false });
        Assert.Equal(["ana excluded email_not_verified"], await fixture.KnownAsync());
        Assert.Empty(await fixture.AccountsAsync());
        Assert.Equal(["ana"], await fixture.DifferencesAsync(ana));

        await fixture.ReadAsync(ana);

        Assert.Equal(["ana account ana"], await fixture.KnownAsync());
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(1, await fixture.GrantsAsync());
        Assert.Empty(await fixture.DifferencesAsync(ana));
    }

    [Fact]
    public async Task A_rule_removes_no_existing_account()
    {
        await using var fixture = await StartAsync(postgres, Verified);
        var ana = User("ana", "ana@example.com");
        var ineligible = ana with { EmailVerified = false };
        await fixture.ReadAsync(ana);

        await fixture.ReadAsync(ineligible);
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["ana account ana"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(ineligible));

        await fixture.ReadAsync(ineligible with { Enabled = false });
        Assert.Equal(["ana held disabled 5.00 of ana"], await fixture.AccountsAsync());
        await fixture.DeleteAsync("ana");
        await fixture.ReadAsync(ineligible);
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_account_from_before_the_bridge_belongs_to_its_user_whatever_the_rules_say()
    {
        await using var fixture = await StartAsync(postgres, Verified);
        await fixture.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('ana', 3)");
        await fixture.ReadAsync(User("ana"));
        Assert.Equal(["ana active 3.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["ana account ana"], await fixture.KnownAsync());
    }

    [Fact]
    public async Task A_disabled_user_is_held_or_excluded_as_configured()
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { DisabledUsers = DisabledUsers.Exclude });
        await fixture.ReadAsync(User("ana", enabled: false));
        Assert.Equal(["ana excluded disabled"], await fixture.KnownAsync());
        Assert.Empty(await fixture.AccountsAsync());

        await fixture.ReadAsync(User("ana"));
        await fixture.ReadAsync(User("ana", enabled: false));

        Assert.Equal(["ana held disabled 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["ana held ana"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(User("ana", enabled: false)));
    }

    [Fact]
    public async Task An_older_reading_opens_no_account_for_a_user_excluded_since()
    {
        await using var fixture = await StartAsync(postgres, Verified);
        var ana = User("ana", "ana@example.com");
        var earlier = fixture.Evaluate(ana);
        await fixture.ReadAsync(ana with { EmailVerified = false });
        await fixture.ConvergeAsync(earlier);
        Assert.Empty(await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_user_without_a_value_for_the_account_id_is_excluded_until_it_has_one()
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { AccountId = "{attribute:customer}" });
        await fixture.ReadAsync(User("ana"));
        Assert.Equal(["ana excluded no_account_id"], await fixture.KnownAsync());
        await fixture.ReadAsync(User("ana") with { Attributes = new Dictionary<string, IReadOnlyList<string>> { ["customer"] = ["c-1"] } });
        Assert.Equal(["c-1 active 5.00 of ana"], await fixture.AccountsAsync());
    }
}
