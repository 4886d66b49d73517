using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Tests.Grants.Policy;

public sealed class TaskOptionsTests
{
    [Theory]
    [InlineData("Grants:Tasks:mfa:Credits", "0", "Grants:Tasks:mfa:Credits is 0")]
    [InlineData("Grants:Tasks:mfa:Settle", "-00:00:01", "Grants:Tasks:mfa:Settle is -00:00:01")]
    [InlineData("Grants:Tasks:mfa:Settle", "31.00:00:00", "Grants:Tasks:mfa:Settle is 31.00:00:00")]
    [InlineData("Grants:Tasks:mfa:Within", "00:00:01", "Grants:Tasks:mfa:Within is 00:00:01")]
    [InlineData("Grants:Tasks:mfa:ExpiresAfter", "00:00:00", "Grants:Tasks:mfa:ExpiresAfter is 00:00:00")]
    [InlineData("Grants:Tasks:mfa:Evidence:Credential:1", "password", "Grants:Tasks:mfa:Evidence:Credential has 'password'")]
    [InlineData("Grants:Tasks:mfa:Evidence:Group", "/staff", "Grants:Tasks:mfa:Evidence names Credential and Group")]
    [InlineData("Grants:Tasks:mfa:Clients:0", "crm", "Grants:Tasks:mfa:Clients has no effect")]
    [InlineData("Grants:Tasks:mfa:Once", "Inbox", "Grants:Tasks:mfa:Once is Inbox: Provisioning:SignupGrant:EmailKey needs")]
    [InlineData("Grants:Tasks:mfa:Once", "Card", "Grants:Tasks:mfa:Once is 'Card'")]
    [InlineData("Grants:Tasks:mfa:Requires:0", "none", "Grants:Tasks:mfa:Requires has 'none'")]
    public void A_task_that_cannot_hold_stops_the_start_with_its_key(string key, string value, string said) =>
        Assert.StartsWith(said, Assert.Single(Problems(Mfa(key, value))), StringComparison.Ordinal);

    [Fact]
    public void Tasks_that_require_each_other_are_named_in_their_ring() => Assert.Equal(
        "Grants:Tasks has tasks that require each other: a -> b -> c -> a. Take one of these requirements out.",
        Assert.Single(Problems([
            .. new[] { ("a", "b"), ("b", "c"), ("c", "a") }.SelectMany(pair => new[]
            {
                ($"Grants:Tasks:{pair.Item1}:Credits", "1"), ($"Grants:Tasks:{pair.Item1}:Evidence:EmailVerified", "true"),
                ($"Grants:Tasks:{pair.Item1}:Requires:0", pair.Item2),
            }),
        ])));

    [Theory]
    [InlineData("First")]
    [InlineData("first call")]
    [InlineData("-first")]
    public void A_name_that_is_no_key_of_a_grant_stops_the_start(string name) => Assert.StartsWith(
        $"Grants:Tasks:{name} is no name of a task",
        Assert.Single(Problems(($"Grants:Tasks:{name}:Credits", "1"), ($"Grants:Tasks:{name}:Evidence:EmailVerified", "true"))),
        StringComparison.Ordinal);

    [Fact]
    public void A_reported_task_names_its_clients() => Assert.StartsWith(
        "Grants:Tasks:webinar:Clients is empty",
        Assert.Single(Problems(("Grants:Tasks:webinar:Credits", "1"), ("Grants:Tasks:webinar:Evidence:Reported", "true"))),
        StringComparison.Ordinal);

    private static (string, string)[] Mfa(string key, string value) =>
        [("Grants:Tasks:mfa:Credits", "1"), ("Grants:Tasks:mfa:Evidence:Credential:0", "otp"), (key, value)];

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
