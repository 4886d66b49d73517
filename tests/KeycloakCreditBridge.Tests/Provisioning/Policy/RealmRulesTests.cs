using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Policy;

public sealed class RealmRulesTests
{
    private static readonly DateTimeOffset Now = AccountFixture.Start;

    [Fact]
    public void A_realm_opens_with_its_own_tier_and_amount_and_inherits_what_it_does_not_set()
    {
        var policy = Policy(new ProvisioningOptions
        {
            Amount = 7m,
            Realms =
            {
                ["amount"] = new RealmRuleOptions { Amount = 2m },
                ["tier"] = new RealmRuleOptions { Tier = "starter" },
                ["both"] = new RealmRuleOptions { Tier = "starter", Amount = 3m },
            },
        });

        Assert.Equal(("trial", 7m, 5m), OpeningIn("other"));
        Assert.Equal(("trial", 2m, 5m), OpeningIn("amount"));
        Assert.Equal(("starter", 20m, 20m), OpeningIn("tier"));
        Assert.Equal(("starter", 3m, 20m), OpeningIn("both"));

        (string Tier, decimal Amount, decimal? Cap) OpeningIn(string realm)
        {
            var opening = policy.Evaluate(AccountFixture.User("ana", realm: realm), Now, HintSources.Poll).Opening!;
            return (opening.Tier, opening.Amount, opening.MonthlyCap);
        }
    }

    [Theory]
    [InlineData("verified", null)]
    [InlineData("unverified", "email_not_verified")]
    [InlineData("no address", "no_email")]
    [InlineData("other domain", "email_domain")]
    [InlineData("subdomain", "email_domain")]
    [InlineData("other spelling", null)]
    [InlineData("no attribute", "attribute")]
    [InlineData("other value", "attribute")]
    [InlineData("two values", null)]
    [InlineData("no provider", "identity_provider")]
    [InlineData("disabled", "disabled")]
    public void An_excluded_user_is_excluded_with_a_reason(string kind, string? reason)
    {
        var good = AccountFixture.User(
            "ana", "ana@example.com") with { Attributes = Attributes("customer"), IdentityProviders = ["corporate"] };
        var user = kind switch
        {
            "unverified" => good with { EmailVerified = false },
            "no address" => good with { Email = null },
            "other domain" => good with { Email = "ana@example.com.example.org" },
            "subdomain" => good with { Email = "ana@mail.example.com" },
            "other spelling" => good with { Email = "Ana@EXAMPLE.com" },
            "no attribute" => good with { Attributes = null },
            "other value" => good with { Attributes = Attributes("supplier") },
            "two values" => good with { Attributes = Attributes("supplier", "customer") },
            "no provider" => good with { IdentityProviders = ["social"] },
            "disabled" => good with { Enabled = false },
            _ => good,
        };
        var policy = Policy(new ProvisioningOptions
        {
            DisabledUsers = DisabledUsers.Exclude,
            Eligibility =
            {
                EmailVerified = true, EmailDomains = ["example.org", "example.com"], Attribute = "kind=customer",
                    IdentityProviders = ["corporate"],
            },
        });

        var state = policy.Evaluate(user, Now, HintSources.Poll);

        Assert.Equal((reason is null ? UserState.Account : UserState.Excluded, reason), (state.State, state.Reason));
    }

    [Fact]
    public void A_realm_s_eligibility_replaces_the_default_one()
    {
        var policy = Policy(new ProvisioningOptions
        {
            Eligibility = { EmailVerified = true },
            Realms = { ["open"] = new RealmRuleOptions { Eligibility = new EligibilityOptions() } },
        });

        Assert.Equal(UserState.Excluded, policy.Evaluate(AccountFixture.User("ana"), Now, HintSources.Poll).State);
        Assert.Equal(UserState.Account, policy.Evaluate(AccountFixture.User("ana", realm: "open"), Now, HintSources.Poll).State);
    }

    [Theory]
    [InlineData("{id}", "Id-1")]
    [InlineData("{email}", "ana@example.com")]
    [InlineData("{realm}:{id}", "shop:Id-1")]
    [InlineData("{username}/{attribute:kind}", "ana/customer")]
    [InlineData("x-{attribute:none}", null)]
    public void An_account_id_is_made_of_the_template(string template, string? expected)
    {
        var user = AccountFixture.User("Id-1", " Ana@Example.com") with { Username = "ana", Attributes = Attributes("customer") };
        Assert.Equal(expected, new AccountIdTemplate(template).Of(user));
    }

    [Theory]
    [InlineData("{name}", "'{name}'")]
    [InlineData("{attribute:}", "'{attribute:}'")]
    [InlineData("{id", "brace")]
    [InlineData("{realm}", "same for all users")]
    [InlineData("", "same for all users")]
    public void A_template_that_cannot_work_is_reported(string template, string said) =>
        Assert.Contains(said, AccountIdTemplate.Problem(template), StringComparison.Ordinal);

    [Fact]
    public void A_changed_listing_of_a_user_changes_the_brief_fingerprint()
    {
        var user = AccountFixture.User("ana", "ana@example.com");
        var rules = new RealmRules(new ProvisioningOptions(), null);
        short[] fingerprints = [.. new[]
        {
            user, user with { Email = "b@example.com" }, user with { EmailVerified = false }, user with { Enabled = false },
        }.Select(rules.BriefFingerprintOf)];
        Assert.Equal(4, fingerprints.Distinct().Count());
        Assert.Equal(fingerprints[0], rules.BriefFingerprintOf(user with { Attributes = Attributes("x"), IdentityProviders = [] }));
        var changed = new RealmRules(new ProvisioningOptions { Eligibility = new EligibilityOptions { Attribute = "kind" } }, null);
        Assert.NotEqual(fingerprints[0], changed.BriefFingerprintOf(user));
    }

    private static GrantPolicy Policy(ProvisioningOptions options) => new(Options.Create(options));

    private static Dictionary<string, IReadOnlyList<string>> Attributes(params string[] kinds) => new() { ["kind"] = kinds };
}
