using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Referrals;

namespace KeycloakCreditBridge.Tests.Grants.Referrals;

/// <summary>What is wrong with the settings of referrals is said at once, with key and remedy.</summary>
public sealed class ReferralOptionsTests
{
    [Fact]
    public void Every_fault_is_listed_with_its_key()
    {
        var options = new GrantsOptions
        {
            Referrals = new ReferralOptions
            {
                ReferrerCredits = 5m, RefereeCredits = 0.0000001m, Qualify = new() { Spent = -1m, Task = "webinar" },
                Within = TimeSpan.Zero, Settle = TimeSpan.FromDays(91), MostPerReferrer = 0, MostIn30Days = -1,
                Budget = new RuleBudgetOptions { Credits = 4m }, ExpiresAfter = TimeSpan.FromMinutes(1),
            },
            Realms = { ["shop"] = new RealmGrantsOptions { Referrals = new ReferralOptions { Qualify = new() { Spent = 0m } } } },
        };
        var failures = new ReferralOptionsValidator().Validate(null, options).Failures!.ToList();
        string[] keys = [
            "Referrals:RefereeCredits is", "Referrals:Qualify:Spent is", "Referrals:Qualify:Task is 'webinar'", "Referrals:Within is",
            "Referrals:Settle is", "Referrals:ExpiresAfter is", "Referrals:MostPerReferrer is 0", "Referrals:MostIn30Days is -1",
            "Referrals:Budget:Credits is 4, less than ReferrerCredits (5)", "Realms:shop:Referrals:ReferrerCredits is missing",
            "Realms:shop:Referrals:RefereeCredits is missing", "Realms:shop:Referrals:Qualify asks for nothing",
        ];
        Assert.Equal(keys.Length, failures.Count);
        Assert.All(keys.Zip(failures), pair => Assert.StartsWith($"Grants:{pair.First}", pair.Second, StringComparison.Ordinal));
    }

    [Fact]
    public void A_realm_has_its_own_referrals_and_others_the_common_ones()
    {
        var rules = new ReferralRules(Microsoft.Extensions.Options.Options.Create(new GrantsOptions
        {
            Realms = { ["shop"] = new RealmGrantsOptions { Referrals = new ReferralOptions { ReferrerCredits = 7m } } },
        }));
        Assert.False(rules.IsEmpty);
        Assert.Equal(7m, rules.Of("shop")?.ReferrerCredits);
        Assert.Null(rules.Of("other"));
    }
}
