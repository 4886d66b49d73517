using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Tests.Configuration;

public sealed class ConfigurationCheckTests
{
    [Fact]
    public void A_complete_configuration_has_no_problem() => Assert.Empty(Problems());

    [Fact]
    public void Everything_that_is_wrong_is_listed_at_once_with_its_key()
    {
        var problems = Problems(
            ("Hints:BatchSize", "many"),
            ("Hints:Lease", "30"),
            ("Hints:MaxAttempts", "0"),
            ("Reconciliation:Enabled", "yes"),
            ("Reconciliation:Misfire", "Later"),
            ("Reconciliation:Cron", "*/15 * * * *"),
            ("Provisioning:Tiers:trial:Credits", "five"),
            ("Intake:Poll:PageSize", "1"),
            ("Storage:ConnectionString", ""),
            ("Serilog:MinimumLevel:Default", "Loud"));

        foreach (var key in new[]
        {
            "Hints:BatchSize", "Hints:Lease", "Hints:MaxAttempts", "Reconciliation:Enabled", "Reconciliation:Misfire",
            "Reconciliation:Cron",
            "Provisioning:Tiers:trial:Credits", "Intake:Poll:PageSize", "Storage:ConnectionString", "Serilog",
        })
        {
            Assert.Single(problems, problem => problem.StartsWith(key, StringComparison.Ordinal));
        }

        Assert.Equal(10, problems.Count);
    }

    [Theory]
    [InlineData("*/15 * * * *")]
    [InlineData("every quarter")]
    [InlineData("0 0/15 * * * ? 1999")]
    [InlineData("")]
    public void A_schedule_that_does_not_parse_is_named_with_an_example(string cron)
    {
        var problem = Assert.Single(Problems(("Reconciliation:Cron", cron)));

        Assert.StartsWith($"Reconciliation:Cron is '{cron}'", problem, StringComparison.Ordinal);
        Assert.Contains("0 0/15 * * * ?", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Hints:BatchSise", "did you mean Hints:BatchSize.")]
    [InlineData("Hints:batch_size", "did you mean Hints:BatchSize.")]
    [InlineData("Intake:Poll:Idle", "Intake:Poll has Enabled, IdleInterval")]
    [InlineData("Keycloak:Realms:0:ClientSecrt", "did you mean Keycloak:Realms:0:ClientSecret.")]
    [InlineData("Reconcilation:Cron", "did you mean Reconciliation?")]
    public void A_key_that_is_not_known_is_named_with_the_one_that_may_be_meant(string key, string remedy) =>
        Assert.Contains(remedy, Assert.Single(Problems((key, "x"))), StringComparison.Ordinal);

    [Theory]
    [InlineData("PATH:x")]
    [InlineData("Kestrel:Limits:MaxConcurrentConnections")]
    [InlineData("Logging:LogLevel:Default")]
    [InlineData("Provisioning:Tiers:gold:Credits")]
    public void What_belongs_to_others_or_is_free_to_name_is_no_problem(string key) => Assert.Empty(Problems((key, "1")));

    [Theory]
    [InlineData("Keycloak:Realms", "such as Keycloak:Realms:0")]
    [InlineData("Intake:Poll", "such as Intake:Poll:Enabled")]
    [InlineData("Hints:BatchSize:Value", "has keys below it")]
    public void A_value_in_the_place_of_keys_and_the_reverse_are_named(string key, string said) =>
        Assert.Contains(Problems((key, "100")), problem => problem.Contains(said, StringComparison.Ordinal));

    [Fact]
    public void A_list_that_holds_secrets_is_complained_about_without_its_value() =>
        Assert.DoesNotContain(
            Problems(("Keycloak:Realms:0:WebhookSecrets", "hush-hush")), problem => problem.Contains("hush", StringComparison.Ordinal));

    private static IReadOnlyList<string> Problems(params (string Key, string? Value)[] settings)
    {
        try
        {
            BridgeFixture.Build(BridgeFixture.Settings("Host=db;Database=credits", new Uri("http://127.0.0.1:9")), settings).Dispose();
            return [];
        }
        catch (ConfigurationException exception)
        {
            return exception.Problems;
        }
    }
}
