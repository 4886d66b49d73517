using System.Globalization;
using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Tests.Grants.Policy.Rules;

public sealed class WelcomeRuleOptionsTests : IDisposable
{
    private const string Key = "Grants:Welcome:Rules:0";

    private readonly string _file = Path.GetTempFileName();

    [Theory]
    [InlineData("Credits", "0", $"{Key}:Credits is 0")]
    [InlineData("Tier", "gold", $"{Key}:Tier is 'gold': choose one of")]
    [InlineData("ExpiresAfter", "00:00:01", $"{Key}:ExpiresAfter is 00:00:01")]
    [InlineData("Budget:Credits", "0", $"{Key}:Budget:Credits is 0")]
    [InlineData("When:Group", "partners", $"{Key}:When:Group is 'partners': give the group's whole path")]
    [InlineData("When:EmailDomain", "localhost", $"{Key}:When:EmailDomain 'localhost' is no domain")]
    [InlineData("When:EmailDomain", "ana@example.com", $"{Key}:When:EmailDomain 'ana@example.com' is no domain")]
    [InlineData("When:EmailDomainFile", "/nowhere/at/all", $"{Key}:When:EmailDomainFile is '/nowhere/at/all', which cannot be read")]
    [InlineData("When:Utm", "autumn", $"{Key}:When:Utm is 'autumn': give name=value with one of the names source, medium")]
    [InlineData("When:Utm", "colour=red", $"{Key}:When:Utm is 'colour=red': give name=value with one of the names source, medium")]
    [InlineData("TopUp", "true", $"{Key}:TopUp needs a Tier, for which it pays once, and a When")]
    [InlineData("When:Invite", "Spring 2027", $"{Key}:When:Invite is 'Spring 2027': give the campaign's name")]
    [InlineData("When:Invite", "spring", "Grants:InviteKey has 0 characters: invitations need a secret of at least 32")]
    [InlineData("When:Invite", "spring", $"{Key} could never match: an attribution comes after the account is opened.")]
    [InlineData("When:Attribute", "plan", $"{Key}:When:Attribute is 'plan': give name=value.")]
    public void A_rule_that_cannot_hold_stops_the_start_with_its_key(string key, string value, string said) =>
        Assert.Contains(
            Problems((Key + ":Credits", "20"), (Key + ":When:AdministratorsOnly", "true"), (Key + ":When:Role", "partner"),
                ($"{Key}:{key}", value)),
            problem => problem.StartsWith(said, StringComparison.Ordinal));

    [Fact]
    public void A_rule_on_what_any_user_can_claim_needs_a_budget()
    {
        (string, string)[] rule = [($"{Key}:Credits", "20"), ($"{Key}:When:Attribute", "plan=gold")];
        Assert.Equal(
            $"{Key} pays 20 credits for a claim that any user can make (attribute plan=gold): give it a Budget, or set "
            + "When:AdministratorsOnly where only administrators can edit the attribute.",
            Assert.Single(Problems(rule)));
        Assert.Empty(Problems([.. rule, ($"{Key}:Budget:Credits", "1000")]));
        Assert.Empty(Problems([.. rule, ($"{Key}:When:AdministratorsOnly", "true")]));
    }

    [Theory]
    [InlineData("Source", "letter")]
    [InlineData("Utm", "campaign=autumn")]
    public void A_rule_on_an_attribution_needs_a_budget_and_a_welcome_that_waits(string condition, string value)
    {
        (string, string)[] rule = [($"{Key}:Credits", "20"), ($"{Key}:When:{condition}", value)];
        Assert.Collection(
            Problems(rule),
            problem => Assert.Equal(
                $"{Key} pays 20 credits for a claim that any user can make (attribution): give it a Budget.", problem),
            problem => Assert.StartsWith($"{Key} could never match", problem, StringComparison.Ordinal));
        Assert.Empty(Problems(
            [.. rule, ($"{Key}:Budget:Credits", "1000"), ("Grants:Welcome:Credits", "5"),
                ("Grants:Welcome:Requires:0", "email_verified")]));
    }

    [Theory]
    [InlineData("Grants:Welcome:DecideAfter", "-00:00:01", "Grants:Welcome:DecideAfter is -00:00:01: choose 00:00:00 to 00:10:00.")]
    [InlineData("Grants:Welcome:DecideAfter", "00:10:01", "Grants:Welcome:DecideAfter is 00:10:01: choose 00:00:00 to 00:10:00.")]
    [InlineData("Grants:InviteKey", "short", "Grants:InviteKey has 5 characters: invitations need a secret of at least 32.")]
    public void A_time_to_decide_and_a_key_have_their_bounds(string key, string value, string said) =>
        Assert.Equal(said, Assert.Single(Problems(("Grants:Welcome:Credits", "5"), (key, value))));

    [Fact]
    public void A_rule_on_an_attribution_may_wait_by_the_time_to_decide() => Assert.Empty(Problems(
        ($"{Key}:Credits", "20"), ($"{Key}:When:Source", "letter"), ($"{Key}:Budget:Credits", "1000"),
        ("Grants:Welcome:DecideAfter", "00:02:00"), ("Grants:Welcome:Before", "1"), ("Grants:Welcome:Credits", "5"),
        ("Grants:Welcome:Rules:1:When:Invite", "spring"), ("Grants:Welcome:Rules:1:Credits", "9"),
        ("Grants:InviteKey", new string('i', 32)), ("Grants:Welcome:Rules:2:When:Organization", "acme"),
        ("Grants:Welcome:Rules:2:When:Client", "app"), ("Grants:Welcome:Rules:2:Credits", "9")));

    [Fact]
    public void A_rule_behind_one_for_everyone_is_never_reached()
    {
        var problem = Assert.Single(Problems(
            ($"{Key}:Credits", "2"), ("Grants:Welcome:Rules:1:Credits", "3"), ("Grants:Welcome:Rules:1:When:Role", "partner")));
        Assert.Contains("so the rules behind it are never reached", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rule_needs_credits_a_condition_and_a_name_of_its_own() => Assert.Equal(
        [
            "Grants:Welcome:Rules:0:Credits is missing: give the welcome credits of such a user.",
            "Grants:Welcome:Rules:0:When names no condition: name one, or remove When from the last rule.",
            "Grants:Welcome:Rules:1:Name is 'a' a second time: choose another name.",
        ],
        Problems(
            ($"{Key}:Name", "a"), ($"{Key}:When:AdministratorsOnly", "true"), ("Grants:Welcome:Rules:1:Name", "a"),
            ("Grants:Welcome:Rules:1:Credits", "1")));

    [Fact]
    public void More_than_two_hundred_rules_stop_the_start() => Assert.Contains(
        "Grants:Welcome:Rules has 201 rules: give at most 200.",
        Problems([.. Enumerable.Range(0, 201).SelectMany(rule => new[]
        {
            (Rule(rule, "Credits"), "1"), (Rule(rule, "When:Role"), "partner"),
        })]));

    [Theory]
    [InlineData("example.com\n\n# partners\n*.edu.example\n", null)]
    [InlineData("example.com\nno domain\n", "which 'no domain' is no domain")]
    [InlineData("", "which has 0 domains: give 1 to 10000")]
    public void A_file_of_domains_is_read_and_refused_as_a_whole(string text, string? said)
    {
        File.WriteAllText(_file, text);
        var problems = Problems(($"{Key}:Credits", "1"), ($"{Key}:When:EmailDomainFile", _file));
        if (said is null)
            Assert.Empty(problems);
        else
            Assert.Contains(said, Assert.Single(problems), StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_file);

    private static string Rule(int number, string key) =>
        string.Create(CultureInfo.InvariantCulture, $"Grants:Welcome:Rules:{number}:{key}");

    private static IReadOnlyList<string> Problems(params (string Key, string Value)[] settings)
    {
        try
        {
            BridgeFixture.Build(
                BridgeFixture.Settings("Host=db;Database=credits", new Uri("http://127.0.0.1:9")),
                [.. settings.Select(setting => (setting.Key, (string?)setting.Value))]).Dispose();
            return [];
        }
        catch (ConfigurationException exception)
        {
            return exception.Problems;
        }
    }
}
