using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Doctor.Records;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Doctor.Records;

/// <summary>Whether users that were paid are known again when they register again.</summary>
public sealed class RememberedChecksTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("", Verdict.Warn, "a user that is deleted and registers again is paid for a referral again")]
    [InlineData("a secret of thirty-two characters", Verdict.Ok, "users that were paid for a referral are remembered")]
    internal async Task Referrals_without_a_key_for_addresses_are_told(string key, Verdict verdict, string says)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var options = new GrantsOptions { Referrals = new ReferralOptions { ReferrerCredits = 1m, RefereeCredits = 1m } };
        var checks = new ReferralChecks(
            new ReferralListStore(database.DataSource), Hot.Of(new ReferralRules(Options.Create(options))), Remembering(key));

        var finding = await checks.All().Single(check => check.Name == "repeated referrals").Run(Token);

        Assert.Equal((verdict, says), (finding.Verdict, finding.Message));
    }

    [Theory]
    [InlineData("", "user", Verdict.Ok, "codes can be redeemed with this key")]
    [InlineData("", "inbox", Verdict.Fail, "campaigns pay an address once, and Provisioning:SignupGrant:EmailKey is missing")]
    [InlineData("a secret of thirty-two characters", "inbox", Verdict.Ok, "codes can be redeemed with this key")]
    internal async Task Campaigns_that_pay_an_address_once_without_a_key_for_it_are_told(
        string key, string once, Verdict verdict, string says)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var hasher = new CodeHasher(Options.Create(new GrantsOptions { Codes = new CodesOptions { Key = new string('k', 32) } }));
        await database.ExecuteAsync(
            """
            insert into code_campaigns (realm, name, credits, starts_at, once, key_check, created_by, created_at)
            values ('shop', 'spring', 1, now(), @once, @Check, 'test', now())
            """, new { once, hasher.Check });

        var finding = await new CodeChecks(new CampaignStore(database.DataSource), hasher, Remembering(key)).KeyAsync(Token);

        Assert.Equal(verdict, finding.Verdict);
        Assert.StartsWith(says, finding.Message, StringComparison.Ordinal);
    }

    private static IOptions<ProvisioningOptions> Remembering(string key) =>
        Options.Create(new ProvisioningOptions { SignupGrant = new SignupGrantOptions { EmailKey = key } });
}
