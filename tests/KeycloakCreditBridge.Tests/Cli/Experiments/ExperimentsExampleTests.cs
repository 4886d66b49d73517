using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Configuration;

namespace KeycloakCreditBridge.Tests.Cli.Experiments;

/// <summary>The settings and commands of docs/experiments.md do what the page says, on the real executable.</summary>
[StartsPrograms]
public sealed partial class ExperimentsExampleTests(PostgresFixture postgres)
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "experiments.md"));

    // A user of the arm that is assigned since a day far enough back is ripe.
    private const string UserSql =
        """
        with known as (
            insert into keycloak_users (realm, keycloak_id, account_id, created_at, user_state, checked_at)
            select 'demo', @arm || n, @arm || n, @At, 'account', now() from generate_series(@from, @to) n),
        account as (
            insert into user_credits (user_id, realm, keycloak_id, created_at, updated_at, last_reset, source, credits_remaining, tier,
                purchased_at)
            select @arm || n, 'demo', @arm || n, @At, now(), now(), 'webhook', 0, 'trial',
                case when n <= @bought then @At::timestamptz + interval '29 days' when n <= @late then @At + interval '31 days' end
            from generate_series(@from, @to) n)
        insert into experiment_assignments (
            realm, keycloak_id, experiment, version, arm, bucket, credits, assigned_at, exposed_at)
        select 'demo', @arm || n, 'trial-2027', 1, @arm, 0, 5, @At, case when n <= @exposed then @At end
        from generate_series(@from, @to) n
        """;

    [Fact]
    public async Task What_the_page_says_is_carried_out_by_settings_and_commands()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var settings = BridgeFixture.Settings(database.ConnectionString, new Uri("http://127.0.0.1:9"));
        using var json = new MemoryStream(Encoding.UTF8.GetBytes(Example().Match(Page).Groups["json"].Value));
        var example = new ConfigurationBuilder().AddJsonStream(json).Build();
        foreach (var (key, value) in example.AsEnumerable().Where(item => item.Value is not null))
            settings[key] = value;
        var options = new ConfigurationBuilder().AddInMemoryCollection(settings).Build().GetSection("Grants").Get<GrantsOptions>()!;
        Assert.Empty(ExperimentsValidator.Problems("Experiments", options.Experiments, options.Welcome));
        Assert.Equal("No experiment has begun: Grants:Experiments configures them.\n", (await RunAsync("experiments list")).Output);
        Assert.Equal(1, (await RunAsync("experiments show trial-2027")).ExitCode);

        var terms = new ExperimentTerms("trial-2027", options.Experiments["trial-2027"]);
        await new ExperimentStore(database.DataSource).BeginAsync(
            "demo", terms, DateTimeOffset.UtcNow, TestContext.Current.CancellationToken);
        await AddAsync(database, "control", 3700, exposed: 3600, bought: 370, late: 500);
        await AddAsync(database, "ten", 3700, exposed: 3600, bought: 444, late: 500);
        Dictionary<string, string> printed = new(StringComparer.Ordinal);
        foreach (var command in Command().Matches(Page).Select(match => match.Groups["command"].Value))
        {
            var (exitCode, output, error) = await RunAsync(command);
            Assert.True(exitCode == 0, $"{command} ended with {exitCode}: {error}");
            printed[command] = output;
        }

        Assert.Equal(
            ["experiments plan --share 0.10 --to 0.12", "experiments list", "experiments show trial-2027", "experiments stop trial-2027",
                "experiments winner trial-2027 ten"],
            printed.Keys);
        Assert.StartsWith("3600 users of each arm", printed["experiments plan --share 0.10 --to 0.12"], StringComparison.Ordinal);
        Assert.Matches(
            "demo +trial-2027 +1 +running .+ purchased_within_30d +7400 +7200 +7400 +3600 +good", printed["experiments list"]);
        var shown = printed["experiments show trial-2027"];
        Assert.Contains("7,400 of 7,400 users are ripe", shown, StringComparison.Ordinal);
        Assert.Contains("the result is final", shown, StringComparison.Ordinal);
        Assert.Matches(@"control +5.00 +0.5 +3700 +3600 +3700 +370 +10.0 % +- +- +-", shown);
        Assert.Matches(@"ten +10.00 +0.5 +3700 +3600 +3700 +444 +12.0 % +20.0 % +\S+ % to \S+ % +\S+ % to \S+ %", shown);

        var arms = (await RunAsync("experiments show trial-2027 --json")).Output.TrimEnd().Split('\n');
        using var ten = JsonDocument.Parse(arms[1]);
        Assert.Equal(0.2, ten.RootElement.GetProperty("uplift").GetDouble(), 1e-9);
        Assert.True(ten.RootElement.GetProperty("sequentialLow").GetDouble() < ten.RootElement.GetProperty("fixedLow").GetDouble());
        Assert.Equal(
            ("stopped", "ten"),
            await database.QueryAsync<(string, string)>(
                "select case when stopped_at is not null then 'stopped' end, winner from experiments") is [var decided]
                ? decided : default);
        Assert.Contains("\"state\":\"won\"", (await RunAsync("experiments list --json")).Output, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("experiments winner trial-2027 gold")).ExitCode);
        Assert.Equal(2, (await RunAsync("experiments plan --share 0.10 --to 0.10")).ExitCode);

        // Some hundred exposed users of one arm are lost: the result is hidden.
        await database.ExecuteAsync(
            "update experiment_assignments set exposed_at = null where arm = 'control' and keycloak_id < 'control14'");
        var hidden = (await RunAsync("experiments show trial-2027")).Output;
        Assert.Contains("The sample ratio is broken", hidden, StringComparison.Ordinal);
        Assert.Matches(@"ten +10.00 +0.5 +3700 +3600 +3700 +- +- +- +- +-", hidden);
        await database.ExecuteAsync("delete from user_credits");

        Task<(int ExitCode, string Output, string Error)> RunAsync(string command) =>
            CommandProcess.RunAsync(settings, command.Split(' '));
    }

    private static async Task AddAsync(
        TestDatabase database, string arm, int users, int exposed, int bought, int late) => await database.ExecuteAsync(
        UserSql, new { arm, from = 1, to = users, exposed, bought, late, At = DateTimeOffset.UtcNow.AddDays(-40) });

    [GeneratedRegex("```json\n(?<json>.+?)```", RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex("^    KeycloakCreditBridge (?<command>experiments .+)$", RegexOptions.Multiline)]
    private static partial Regex Command();
}
