using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Endpoints;

namespace KeycloakCreditBridge.Tests.Outbox.Endpoints;

public sealed class EndpointValidatorTests
{
    private const string Url = "https://crm.example.com/credits";

    [Theory]
    [InlineData("http://crm.example.com", "Outbox:Endpoints:crm:Url is http,")]
    [InlineData("ftp://crm.example.com", "Outbox:Endpoints:crm:Url is no https address")]
    [InlineData("crm.example.com", "Outbox:Endpoints:crm:Url is no https address")]
    [InlineData("", "Outbox:Endpoints:crm:Url is no https address")]
    [InlineData("https://user:secret@crm.example.com", "Outbox:Endpoints:crm:Url holds a user")]
    [InlineData("https://localhost/", "Outbox:Endpoints:crm:Url is an address of this machine or network")]
    [InlineData("https://169.254.169.254/", "Outbox:Endpoints:crm:Url is an address of this machine or network")]
    [InlineData("https://[::ffff:10.0.0.1]/", "Outbox:Endpoints:crm:Url is an address of this machine or network")]
    [InlineData("https://2130706433/", "Outbox:Endpoints:crm:Url is an address of this machine or network")]
    public void An_address_that_events_must_not_go_to_is_refused_by_name(string url, string problem)
    {
        var said = Assert.Single(Problems("crm", new() { Url = url }));
        Assert.StartsWith(problem, said, StringComparison.Ordinal);
        Assert.DoesNotContain("secret@", said, StringComparison.Ordinal);
    }

    [Fact]
    public void Private_and_http_addresses_are_taken_where_the_settings_say_so() =>
        Assert.Empty(Problems("crm", new() { Url = "http://10.0.0.1:8080/", AllowHttp = true, AllowPrivate = true }));

    [Theory]
    [InlineData("amqp://rabbit.example.com/credits", "Outbox:Endpoints:crm:Url is amqp,")]
    [InlineData("amqps://user:secret@rabbit.example.com/credits", "Outbox:Endpoints:crm:Url holds a user")]
    [InlineData("amqps://rabbit.example.com/credits/more", "Outbox:Endpoints:crm:Url is no amqp or amqps address")]
    public void An_address_of_a_broker_that_is_no_good_is_refused_by_name(string url, string problem) => Assert.StartsWith(
        problem, Assert.Single(Problems("crm", new() { Url = url, UserName = "u", Password = "p", Exchange = "e" })),
        StringComparison.Ordinal);

    [Fact]
    public void A_broker_needs_a_user_a_password_and_an_exchange_and_no_secret()
    {
        var options = new EndpointOptions { Url = "amqps://10.0.0.1:5671/credits", Secret = "-", Batch = 2 };
        Assert.Collection(
            Problems("crm", options),
            problem => Assert.StartsWith("Outbox:Endpoints:crm:UserName is empty", problem, StringComparison.Ordinal),
            problem => Assert.StartsWith("Outbox:Endpoints:crm:Password is empty", problem, StringComparison.Ordinal),
            problem => Assert.StartsWith("Outbox:Endpoints:crm:Exchange is empty", problem, StringComparison.Ordinal),
            problem => Assert.StartsWith("Outbox:Endpoints:crm:Batch is 2", problem, StringComparison.Ordinal));
        (options.UserName, options.Password, options.Exchange, options.Batch) = ("u", "p", "e", 1);
        Assert.Empty(Problems("crm", options));
    }

    [Fact]
    public void All_that_is_wrong_is_named_at_once() => Assert.Collection(
        Problems(
            "c r m",
            new()
            {
                Url = Url, Secret = "whsec_c2hvcnQ=", PreviousSecret = "!", Types = ["credits.*", "credits.lost"], Batch = 0,
                Concurrency = 65, Timeout = TimeSpan.Zero,
            }),
        problem => Assert.StartsWith("Outbox:Endpoints:c r m: give a name", problem, StringComparison.Ordinal),
        problem => Assert.StartsWith("Outbox:Endpoints:c r m:Secret has 5 bytes", problem, StringComparison.Ordinal),
        problem => Assert.StartsWith("Outbox:Endpoints:c r m:PreviousSecret is empty or no base64", problem, StringComparison.Ordinal),
        problem => Assert.StartsWith("Outbox:Endpoints:c r m:Types has credits.lost", problem, StringComparison.Ordinal),
        problem => Assert.StartsWith("Outbox:Endpoints:c r m:Batch is 0", problem, StringComparison.Ordinal),
        problem => Assert.StartsWith("Outbox:Endpoints:c r m:Concurrency is 65", problem, StringComparison.Ordinal),
        problem => Assert.StartsWith("Outbox:Endpoints:c r m:Timeout is 00:00:00", problem, StringComparison.Ordinal));

    [Fact]
    public void Types_are_chosen_by_name_or_by_their_beginning()
    {
        Assert.Equal(EventTypes.All, new EndpointOptions().ChosenTypes);
        Assert.Equal(
            ["credits.account.opened", "credits.account.held", "credits.account.reopened", "credits.account.closed", "tier.switched"],
            new EndpointOptions { Types = ["credits.account.*", "tier.switched"] }.ChosenTypes);
    }

    private static List<string> Problems(string name, EndpointOptions endpoint)
    {
        if (endpoint.Secret.Length == 0)
            endpoint.Secret = SinkFixture.Secret;
        var options = new OutboxOptions();
        options.Endpoints[name] = endpoint;
        return [.. new EndpointValidator().Validate(null, options).Failures ?? []];
    }
}
