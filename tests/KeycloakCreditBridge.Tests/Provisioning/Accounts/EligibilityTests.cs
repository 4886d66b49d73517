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
        await using var scene = await StartAsync(postgres, Verified);
        var ana = User("ana", "ana@example.com");
        await scene.ReadAsync(ana with { EmailVerified = false });
        Assert.Equal(["ana excluded email_not_verified"], await scene.KnownAsync());
        Assert.Empty(await scene.AccountsAsync());
        Assert.Equal(["ana"], await scene.DifferencesAsync(ana));

        await scene.ReadAsync(ana);

        Assert.Equal(["ana account ana"], await scene.KnownAsync());
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(1, await scene.GrantsAsync());
        Assert.Empty(await scene.DifferencesAsync(ana));
    }

    [Fact]
    public async Task A_rule_removes_no_existing_account()
    {
        await using var scene = await StartAsync(postgres, Verified);
        var ana = User("ana", "ana@example.com");
        var ineligible = ana with { EmailVerified = false };
        await scene.ReadAsync(ana);

        await scene.ReadAsync(ineligible);
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(["ana account ana"], await scene.KnownAsync());
        Assert.Empty(await scene.DifferencesAsync(ineligible));

        await scene.ReadAsync(ineligible with { Enabled = false });
        Assert.Equal(["ana held disabled 5.00 of ana"], await scene.AccountsAsync());
        await scene.DeleteAsync("ana");
        await scene.ReadAsync(ineligible);
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task An_account_from_before_the_bridge_belongs_to_its_user_whatever_the_rules_say()
    {
        await using var scene = await StartAsync(postgres, Verified);
        await scene.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('ana', 3)");
        await scene.ReadAsync(User("ana"));
        Assert.Equal(["ana active 3.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(["ana account ana"], await scene.KnownAsync());
    }

    [Fact]
    public async Task A_disabled_user_is_held_or_excluded_as_configured()
    {
        await using var scene = await StartAsync(postgres, new ProvisioningOptions { DisabledUsers = DisabledUsers.Exclude });
        await scene.ReadAsync(User("ana", enabled: false));
        Assert.Equal(["ana excluded disabled"], await scene.KnownAsync());
        Assert.Empty(await scene.AccountsAsync());

        await scene.ReadAsync(User("ana"));
        await scene.ReadAsync(User("ana", enabled: false));

        Assert.Equal(["ana held disabled 5.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(["ana held ana"], await scene.KnownAsync());
        Assert.Empty(await scene.DifferencesAsync(User("ana", enabled: false)));
    }

    [Fact]
    public async Task An_older_reading_opens_no_account_for_a_user_excluded_since()
    {
        await using var scene = await StartAsync(postgres, Verified);
        var ana = User("ana", "ana@example.com");
        var earlier = scene.Evaluate(ana);
        await scene.ReadAsync(ana with { EmailVerified = false });
        await scene.ConvergeAsync(earlier);
        Assert.Empty(await scene.AccountsAsync());
    }

    [Fact]
    public async Task A_user_without_a_value_for_the_account_id_is_excluded_until_it_has_one()
    {
        await using var scene = await StartAsync(postgres, new ProvisioningOptions { AccountId = "{attribute:customer}" });
        await scene.ReadAsync(User("ana"));
        Assert.Equal(["ana excluded no_account_id"], await scene.KnownAsync());
        await scene.ReadAsync(User("ana") with { Attributes = new Dictionary<string, IReadOnlyList<string>> { ["customer"] = ["c-1"] } });
        Assert.Equal(["c-1 active 5.00 of ana"], await scene.AccountsAsync());
    }
}
