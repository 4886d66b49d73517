using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Tests.Configuration.Reload;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace KeycloakCreditBridge.Tests.Grants.Experiments.Running;

/// <summary>What an experiment compares never changes while it runs.</summary>
public sealed class FrozenExperimentTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void A_reload_that_changes_an_amount_is_refused_and_the_next_version_is_used()
    {
        using var fixture = ReloadFixture.Start(Settings(credits: "10", version: 1));
        fixture.Services.GetRequiredService<FrozenExperiments>().Set(
            [new("shop", "trial", 1, Terms("10", 1).Definition, DateTimeOffset.UnixEpoch, null, null)]);

        fixture.Write(Settings(credits: "12", version: 1));
        fixture.ReadWritten();
        Assert.Contains(
            "Grants:Experiments:trial:Arms:1:Credits was 10 and is 12, and is frozen while version 1 runs", fixture.Status.Problem,
            StringComparison.Ordinal);
        Assert.Equal(10m, fixture.Get<GrantsOptions>().Experiments["trial"].Arms[1].Credits);

        fixture.Write(Settings(credits: "12", version: 2));
        fixture.ReadWritten();
        Assert.Null(fixture.Status.Problem);
        Assert.Equal(12m, fixture.Get<GrantsOptions>().Experiments["trial"].Arms[1].Credits);
    }

    [Fact]
    public void A_version_below_the_last_one_is_refused_and_a_realm_of_its_own_is_named()
    {
        var frozen = new FrozenExperiments();
        frozen.Set([
            new("shop", "trial", 1, Terms("10", 1).Definition, DateTimeOffset.UnixEpoch, null, null),
            new("shop", "trial", 2, Terms("12", 2).Definition, DateTimeOffset.UnixEpoch, null, null),
        ]);
        var options = new GrantsOptions { Experiments = { ["trial"] = Options("10", 1) } };
        Assert.Equal(
            ["Grants:Experiments:trial:Version is 1, and version 2 has begun: choose 2 or a later one."], frozen.ProblemsOf(options));
        options.Realms["shop"] = new RealmGrantsOptions { Experiments = new() { ["trial"] = Options("13", 2) } };
        Assert.StartsWith(
            "Grants:Realms:shop:Experiments:trial:Arms:1:Credits was 12 and is 13", Assert.Single(frozen.ProblemsOf(options)),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_replica_that_is_configured_differently_assigns_no_users_and_does_not_begin()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new ExperimentStore(database.DataSource);
        Assert.Equal(["trial"], (await Runs(store).ActiveAsync("shop", [Terms("10", 1)], Token)).Keys);
        var other = Runs(store);
        Assert.Empty(await other.ActiveAsync("shop", [Terms("12", 1)], Token));
        Assert.Equal(["trial"], (await other.ActiveAsync("shop", [Terms("12", 2)], Token)).Keys);

        var condition = new FrozenCondition(
            store, new FrozenExperiments(),
            KeycloakCreditBridge.Configuration.Reload.Hot.Of(new GrantsOptions { Experiments = { ["trial"] = Options("11", 2) } }));
        Assert.Contains("Arms:1:Credits was 12 and is 11", await condition.FindProblemAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_experiment_begins_before_its_time_or_beside_a_replica_of_an_older_program()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new ExperimentStore(database.DataSource);
        var later = Options("10", 1);
        later.From = "9000-01-01";
        Assert.Empty(await Runs(store).ActiveAsync("shop", [new ExperimentTerms("trial", later)], Token));
        await database.ExecuteAsync(
            "insert into replicas (id, version, last_migration, started_at, last_seen) values ('old', '1.0', 82, now(), now())");
        Assert.Empty(await Runs(store).ActiveAsync("shop", [Terms("10", 1)], Token));
        Assert.Equal(0, await database.ScalarAsync<int>("select count(*)::int from experiments"));
        await database.ExecuteAsync("delete from replicas");
        Assert.Equal(["trial"], (await Runs(store).ActiveAsync("shop", [Terms("10", 1)], Token)).Keys);
    }

    private static ExperimentRuns Runs(ExperimentStore store) =>
        new(store, new FrozenExperiments(), TimeProvider.System, NullLogger<ExperimentRuns>.Instance);

    private static ExperimentTerms Terms(string credits, int version) => new("trial", Options(credits, version));

    private static ExperimentOptions Options(string credits, int version) => new()
    {
        Version = version, From = "2026-01-01T00:00:00Z", Planned = 3600,
        Arms =
        [
            new() { Name = "control", Weight = 0.5m, Credits = 5m },
            new() { Name = "more", Weight = 0.5m, Credits = decimal.Parse(credits, System.Globalization.CultureInfo.InvariantCulture) },
        ],
    };

    private static string Settings(string credits, int version) =>
        $$"""
        {
          "Grants": {
            "Welcome": { "Credits": 5 },
            "Experiments": {
              "trial": {
                "Version": {{version}}, "From": "2026-01-01", "Planned": 3600,
                "Arms": [
                  { "Name": "control", "Weight": 0.5, "Credits": 5 },
                  { "Name": "more", "Weight": 0.5, "Credits": {{credits}} }
                ]
              }
            }
          }
        }
        """;
}
