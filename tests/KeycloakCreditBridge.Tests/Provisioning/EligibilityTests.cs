using KeycloakCreditBridge.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountScene;

namespace KeycloakCreditBridge.Tests.Provisioning;

public sealed class EligibilityTests(PostgresServer postgres)
{
    private static ProvisioningOptions Verified => new() { Eligibility = { EmailVerified = true } };

    [Fact]
    public async Task Who_is_left_out_is_known_with_the_reason_and_gets_the_grant_when_the_reason_is_gone()
    {
        await using var scene = await StartAsync(postgres, Verified);
        var ana = Person("ana", "ana@example.com");
        await scene.SeeAsync(ana with { EmailVerified = false });
        Assert.Equal(["ana excluded email_not_verified"], await scene.KnownAsync());
        Assert.Empty(await scene.AccountsAsync());
        Assert.Equal(["ana"], await scene.DifferencesAsync(ana));

        await scene.SeeAsync(ana);

        Assert.Equal(["ana account ana"], await scene.KnownAsync());
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(1, await scene.GrantsAsync());
        Assert.Empty(await scene.DifferencesAsync(ana));
    }

    [Fact]
    public async Task A_rule_takes_no_account_away()
    {
        await using var scene = await StartAsync(postgres, Verified);
        var ana = Person("ana", "ana@example.com");
        var ineligible = ana with { EmailVerified = false };
        await scene.SeeAsync(ana);

        await scene.SeeAsync(ineligible);
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(["ana account ana"], await scene.KnownAsync());
        Assert.Empty(await scene.DifferencesAsync(ineligible));

        await scene.SeeAsync(ineligible with { Enabled = false });
        Assert.Equal(["ana held disabled 5.00 of ana"], await scene.AccountsAsync());
        await scene.LoseAsync("ana");
        await scene.SeeAsync(ineligible);
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task An_account_that_was_there_before_the_bridge_is_its_user_s_whatever_the_rules_say()
    {
        await using var scene = await StartAsync(postgres, Verified);
        await scene.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('ana', 3)");
        await scene.SeeAsync(Person("ana"));
        Assert.Equal(["ana active 3.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(["ana account ana"], await scene.KnownAsync());
    }

    [Fact]
    public async Task A_disabled_user_is_held_or_left_out_as_configured()
    {
        await using var scene = await StartAsync(postgres, new ProvisioningOptions { DisabledUsers = DisabledUsers.Exclude });
        await scene.SeeAsync(Person("ana", enabled: false));
        Assert.Equal(["ana excluded disabled"], await scene.KnownAsync());
        Assert.Empty(await scene.AccountsAsync());

        await scene.SeeAsync(Person("ana"));
        await scene.SeeAsync(Person("ana", enabled: false));

        Assert.Equal(["ana held disabled 5.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(["ana held ana"], await scene.KnownAsync());
        Assert.Empty(await scene.DifferencesAsync(Person("ana", enabled: false)));
    }

    [Fact]
    public async Task An_older_reading_opens_no_account_for_who_is_left_out_by_now()
    {
        await using var scene = await StartAsync(postgres, Verified);
        var ana = Person("ana", "ana@example.com");
        var earlier = scene.Judge(ana);
        await scene.SeeAsync(ana with { EmailVerified = false });
        await scene.ConvergeAsync(earlier);
        Assert.Empty(await scene.AccountsAsync());
    }

    [Fact]
    public async Task A_user_without_a_value_of_the_account_id_is_left_out_until_it_is_there()
    {
        await using var scene = await StartAsync(postgres, new ProvisioningOptions { AccountId = "{attribute:customer}" });
        await scene.SeeAsync(Person("ana"));
        Assert.Equal(["ana excluded no_account_id"], await scene.KnownAsync());
        await scene.SeeAsync(Person("ana") with { Attributes = new Dictionary<string, IReadOnlyList<string>> { ["customer"] = ["c-1"] } });
        Assert.Equal(["c-1 active 5.00 of ana"], await scene.AccountsAsync());
    }
}
