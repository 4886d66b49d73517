using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Tests.Grants.Policy;

public sealed class GrantPlanTests
{
    private static readonly DateTimeOffset Created = new(2026, 12, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly WelcomeTerms Gate = new(new WelcomeOptions
    {
        Credits = 5m, Before = 1m, Requires = [Requirements.EmailVerified], VerifyWithin = TimeSpan.FromDays(7),
    });

    [Theory]
    [InlineData("ana@example.com", true, 0, "due")]
    [InlineData("ana@example.com", false, 0, "open email_verified")]
    [InlineData(null, true, 0, "open email_verified")]
    [InlineData(" ", true, 0, "open email_verified")]
    [InlineData("ana@example.com", true, 167, "due")]
    [InlineData("ana@example.com", true, 168, "lapsed ")]
    [InlineData("ana@example.com", false, 168, "lapsed email_verified")]
    public void The_welcome_is_due_when_its_requirements_are_met_in_time(string? email, bool verified, int hours, string expected) =>
        Assert.Equal(expected, Said(User(email, verified), new AccountFacts(Created, 4m), Created.AddHours(hours)));

    [Fact]
    public void A_user_without_a_creation_time_has_the_time_since_the_account_was_opened() => Assert.Equal(
        "due",
        Said(User("ana@example.com", true) with { CreatedAt = null }, new AccountFacts(Created.AddDays(6), 4m), Created.AddDays(12)));

    [Fact]
    public void A_backlog_costs_no_user_the_welcome() => Assert.Equal(
        "due",
        Said(User("ana@example.com", true) with { SeenAt = Created.AddDays(6) }, new AccountFacts(Created, 4m), Created.AddDays(30)));

    [Fact]
    public void An_account_from_which_nothing_is_withheld_is_owed_nothing() =>
        Assert.Equal("", Said(User("ana@example.com", true), new AccountFacts(Created, null), Created));

    [Fact]
    public void What_is_due_is_what_was_withheld_whatever_is_configured_now()
    {
        var plan = GrantPlan.Of(User("ana@example.com", true), new AccountFacts(Created, 2.5m), Gate, Created);
        Assert.Equal(("welcome", 2.5m, Gate.Version), plan.Due.Select(due => (due.Key, due.Credits, due.Version)).Single());
    }

    [Theory]
    [InlineData("5", "1", true, false, "1 4")]
    [InlineData("5", "1", false, false, "5 0")]
    [InlineData(null, "1", true, false, "1 2")]
    [InlineData(null, "4", true, false, "3 0")]
    [InlineData("5", "0", true, false, "0 5")]
    [InlineData("5", "1", true, true, "1 2")]
    public void An_account_opens_with_the_part_that_needs_nothing(
        string? credits, string before, bool requires, bool mapped, string expected)
    {
        var terms = new WelcomeTerms(new WelcomeOptions
        {
            Credits = credits is null ? null : Amount(credits), Before = Amount(before),
            Requires = requires ? [Requirements.EmailVerified] : [],
        });
        var share = terms.ShareOf(User(null, false) with { HasMappedTier = mapped }, 3m);
        Assert.Equal(expected, FormattableString.Invariant($"{share.AtOnce} {share.Withheld}"));
    }

    [Fact]
    public void Where_an_address_counts_once_the_welcome_waits_for_it_to_be_verified()
    {
        var terms = new WelcomeTerms(new WelcomeOptions { Credits = 5m });
        var user = User("ana@example.com", false) with { WelcomeOncePer = OncePer.Email };
        Assert.Equal(new Share(0m, 5m), terms.ShareOf(user, 5m));
        Assert.Equal(["email_verified"], GrantPlan.Of(user, new AccountFacts(Created, 5m), terms, Created).Offers.Single().Missing);
    }

    [Fact]
    public void The_version_follows_the_configuration()
    {
        static string Version(decimal credits) => new WelcomeTerms(new WelcomeOptions { Credits = credits }).Version;
        Assert.Equal(Version(5m), Version(5m));
        Assert.NotEqual(Version(5m), Version(6m));
    }

    private static GrantUser User(string? email, bool verified) =>
        new("shop", "ana", Created) { Email = email, EmailVerified = verified };

    private static string Said(GrantUser user, AccountFacts facts, DateTimeOffset now)
    {
        var plan = GrantPlan.Of(user, facts, Gate, now);
        return string.Join("; ", plan.Due.Select(_ => "due").Concat(
            plan.Offers.Select(offer => $"{offer.State} {string.Join(' ', offer.Missing)}")));
    }

    private static decimal Amount(string text) => decimal.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}
