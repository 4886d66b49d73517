using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Review;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Grants.Review;

/// <summary>What signals come to, and which users no signal counts against.</summary>
public sealed class FraudTermsTests
{
    private static readonly Candidate Ana = new("shop", "id", "ana", "ana@example.com", true, DateTimeOffset.UnixEpoch, [], [], false);

    private static readonly SeenSignals Two = new([SignalNames.SameInbox, SignalNames.NetworkHour], []);

    [Fact]
    public void Scores_add_up_to_a_hundred_at_most_and_what_is_missing_counts_nothing()
    {
        var terms = new FraudTerms(new RealmFraudOptions());
        Assert.Equal(65, terms.Assess(Ana, Two).Score);
        Assert.Equal(100, terms.Assess(Ana, new(SignalNames.All, [])).Score);
        var missing = terms.Assess(Ana, new([], [(SignalNames.NetworkHour, "private")]));
        Assert.Equal((0, new SignalHit(SignalNames.NetworkHour, 0, "private")), (missing.Score, Assert.Single(missing.Hits)));
    }

    [Fact]
    public void A_score_of_the_settings_counts_and_zero_has_the_signal_recorded_alone()
    {
        var terms = new FraudTerms(new RealmFraudOptions
        {
            Signals = { [SignalNames.SameInbox] = new() { Score = 0 }, [SignalNames.NetworkHour] = new() { Score = 7 } },
        });
        var assessment = terms.Assess(Ana, Two);
        Assert.Equal(7, assessment.Score);
        Assert.Equal([new(SignalNames.SameInbox, 0), new SignalHit(SignalNames.NetworkHour, 7)], assessment.Hits);
    }

    [Theory]
    [InlineData("paid")]
    [InlineData("administrator")]
    [InlineData("allowed")]
    [InlineData("invited")]
    [InlineData("identity_provider")]
    [InlineData("group")]
    [InlineData("email_domain")]
    public void An_exempt_user_scores_nothing_and_the_signals_are_still_told(string why)
    {
        var terms = new FraudTerms(new RealmFraudOptions
        {
            Exempt = { IdentityProviders = ["corporate"], Groups = ["/staff/*", "/testers"], EmailDomains = ["*.edu.example"] },
        });
        var assessment = terms.Assess(
            Ana with
            {
                Invited = why == "invited",
                IdentityProviders = why == "identity_provider" ? ["github", "corporate"] : ["github"],
                Groups = why == "group" ? ["/staff/night"] : ["/staff", "/testers/old", "/other"],
                Email = why == "email_domain" ? "ana@law.edu.example" : "ana@edu.example",
            },
            Two with { HasPaid = why == "paid", ByAdministrator = why == "administrator", IsAllowed = why == "allowed" });
        Assert.Equal((0, why, 2), (assessment.Score, assessment.Exempt, assessment.Hits.Count));
    }

    [Fact]
    public void An_address_that_is_not_verified_exempts_no_user() => Assert.Null(
        new FraudTerms(new RealmFraudOptions { Exempt = { EmailDomains = ["example.com"] } })
            .Assess(Ana with { EmailVerified = false }, Two).Exempt);

    [Fact]
    public void A_realm_has_its_own_review_and_others_the_common_one()
    {
        var rules = new FraudRules(Options.Create(new GrantsOptions
        {
            Fraud = { Enabled = true },
            Realms = { ["quiet"] = new RealmGrantsOptions { Fraud = new RealmFraudOptions() } },
        }));
        Assert.True(rules.IsEnabled);
        Assert.Null(rules.Of("quiet"));
        Assert.Equal(40, rules.Of("shop")?.Hold);
        Assert.False(new FraudRules(Options.Create(new GrantsOptions())).IsEnabled);
    }
}
