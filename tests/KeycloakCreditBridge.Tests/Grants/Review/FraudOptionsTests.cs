using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Review;

namespace KeycloakCreditBridge.Tests.Grants.Review;

/// <summary>What is wrong with the settings of review is said at once, with key and remedy.</summary>
public sealed class FraudOptionsTests
{
    [Fact]
    public void Review_needs_no_setting_where_it_is_off() =>
        Assert.True(new FraudOptionsValidator().Validate(null, new GrantsOptions()).Succeeded);

    [Fact]
    public void Every_fault_is_listed_with_its_key()
    {
        var options = new GrantsOptions
        {
            Fraud = new FraudOptions
            {
                Enabled = true, Key = "short", Hold = 0, Refuse = 101, WhileHeld = -1m, LapseAfter = TimeSpan.Zero,
                RetainHolds = TimeSpan.FromDays(89), PreviousKeys = ["old", "short"],
                Signals = { ["same_inbox"] = new() { Score = 101 }, ["moon"] = new() { Score = -1 } },
                Exempt = { IdentityProviders = [""], Groups = ["staff"], EmailDomains = ["staff@example.com"] },
            },
            Realms = { ["shop"] = new RealmGrantsOptions { Fraud = new RealmFraudOptions { Hold = 60, Refuse = 50 } } },
        };
        var failures = new FraudOptionsValidator().Validate(null, options).Failures!.ToList();
        string[] keys = [
            "Fraud:Key has 5 characters", "Fraud:PreviousKeys:0 has 3 characters", "Fraud:PreviousKeys:1 has 5 characters",
            "Fraud:RetainHolds is 89.00:00:00", "Fraud:Hold is 0", "Fraud:Refuse is 101",
            "Fraud:WhileHeld is -1", "Fraud:LapseAfter is", "Fraud:Signals:same_inbox:Score is 101",
            "Fraud:Signals:moon is no signal: choose disposable_domain", "Fraud:Signals:moon:Score is -1",
            "Fraud:Exempt:IdentityProviders:0 is empty", "Fraud:Exempt:Groups:0 is 'staff'",
            "Fraud:Exempt:EmailDomains:0: 'staff@example.com' is no domain",
            "Realms:shop:Fraud:Refuse is 50, less than Hold (60)",
        ];
        Assert.Equal(keys.Length, failures.Count);
        Assert.All(keys.Zip(failures), pair => Assert.StartsWith($"Grants:{pair.First}", pair.Second, StringComparison.Ordinal));
        Assert.DoesNotContain("short", string.Join(' ', failures), StringComparison.Ordinal);
    }

    [Fact]
    public void A_realm_that_alone_reviews_needs_the_common_key()
    {
        var options = new GrantsOptions
        {
            Realms = { ["shop"] = new RealmGrantsOptions { Fraud = new RealmFraudOptions { Enabled = true } } },
        };
        Assert.StartsWith(
            "Grants:Fraud:Key has 0 characters", Assert.Single(new FraudOptionsValidator().Validate(null, options).Failures!),
            StringComparison.Ordinal);
    }
}
