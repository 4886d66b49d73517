using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Tests.Configuration;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using static KeycloakCreditBridge.Tests.Documents.Alerts.WatchedBridgeFixture;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>The same for what came to the bridge later: grants, deliveries, analytics, settings that change while it runs.</summary>
[StartsPrograms]
public sealed class FeatureAlertTests(PostgresFixture postgres)
{
    private static readonly TimeSpan Minutes = TimeSpan.FromMinutes(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Credits_that_end_while_no_schedule_runs_fire_the_alert_of_the_missing_sweep()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString, ("Grants:Opening:ExpiresAfter", "01:00:00"));
        await watched.DeliverAsync(await watched.Keycloak.CreateAsync("ana"));
        var before = await watched.AfterAsync(page => Sum(page, "bridge_accounts_opened_total") == 1, "the account is open");

        var during = await watched.AfterAsync(
            page => Sum(page, "bridge_grants_oldest_due_seconds") > 900 && Sum(page, "bridge_replicas_live") == 1, "the end has passed",
            TimeSpan.FromSeconds(30));

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeEndedCreditsAreNotSwept").AssertAsync();
    }

    [Fact]
    public async Task More_users_than_the_budget_of_a_rule_has_credits_for_fire_the_alert_of_the_budget_once()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(
            database.ConnectionString, ("Grants:Welcome:Requires:0", "email_verified"), ("Grants:Welcome:Rules:0:Name", "schools"),
            ("Grants:Welcome:Rules:0:Credits", "6"), ("Grants:Welcome:Rules:0:When:EmailDomain", "school.example"),
            ("Grants:Welcome:Rules:0:Budget:Credits", "6"));
        List<string> users = [];
        foreach (var name in (string[])["ana", "ben"])
        {
            users.Add(await watched.Keycloak.CreateAsync(
                name, new JsonObject { ["enabled"] = true, ["email"] = $"{name}@school.example" }));
            await watched.DeliverAsync(users[^1]);
        }

        // The bridge's time goes by faster than its work: a hint that waits in the page would be late.
        var before = await watched.AfterAsync(
            page => Sum(page, "bridge_accounts_opened_total") == 2 && Sum(page, "bridge_hints_waiting") == 0, "the accounts are open");
        foreach (var user in users)
        {
            Assert.Equal(HttpStatusCode.NoContent, await watched.Keycloak.StatusAsync(
                "PUT", $"{EmulatorFixture.Users}/{user}", await watched.Keycloak.AdminTokenAsync(),
                new JsonObject { ["emailVerified"] = true }));
            await watched.DeliverAsync(user);
        }

        var during = await watched.AfterAsync(
            page => Sum(page, "bridge_grants_budget_exhausted_total") == 1 && Sum(page, "bridge_hints_waiting") == 0,
            "one user was too many");

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeGrantBudgetIsUsedUp")
            .Scraped(during, TimeSpan.FromHours(1)).Fires().AssertAsync();
    }

    [Fact]
    public async Task Codes_that_a_user_guesses_fire_the_alert_of_guessed_codes_once()
    {
        Promtool.Require();
        await using var fixture = await ExecutableFixture.CreateAsync(postgres);
        fixture.Settings["Grants:Codes:Key"] = "a key of thirty-two characters, at least";
        fixture.Settings["Grants:Codes:FailuresPerRealm"] = "2";
        await fixture.StartAsync();
        var token = fixture.TokenOf(fixture.AddUser());
        await fixture.GetAsync("api/v1/credits/balance", token);
        var before = await ShowsAsync(fixture, "bridge_replicas_live", 1);

        using var http = new HttpClient();
        for (var number = 0; number < 4; number++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(fixture.Url, "api/v1/credits/codes/redeem"))
            {
                Content = new StringContent($$"""{"code":"GUESSED-{{number}}"}""", Encoding.UTF8, "application/json"),
                Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
            };
            using var answer = await http.SendAsync(request, Token);
            Assert.False(answer.IsSuccessStatusCode);
        }

        var during = await fixture.GetAsync("metrics");
        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeCodesAreGuessed")
            .Scraped(during, TimeSpan.FromHours(1)).Fires().AssertAsync();
    }

    [Fact]
    public async Task Rows_of_deliveries_that_the_database_refuses_fire_their_alert_once_and_hold_up_no_hint()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString);
        var user = await watched.Keycloak.CreateAsync("ana");
        await watched.DeliverAsync(user);
        var before = await watched.AfterAsync(page => Sum(page, "bridge_accounts_opened_total") == 1, "the account is open");
        await Eventually.TrueAsync(
            async () => await database.ScalarAsync<int>("select count(*)::int from deliveries") == 1, "its delivery has a row");

        await database.ExecuteAsync(Refuse("deliveries"));
        Assert.Equal(HttpStatusCode.NoContent, await watched.DeliverAsync(user));
        var during = await watched.AfterAsync(
            page => Sum(page, "bridge_deliveries_not_recorded_total") == 1 && Sum(page, "bridge_hints_waiting") == 0,
            "the hint is completed and its delivery has no row");

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeDeliveriesAreNotRecorded")
            .Scraped(during, Minutes).Fires().AssertAsync();
    }

    [Fact]
    public async Task Users_whose_accounts_are_refused_fire_the_alert_of_missing_accounts()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString, ("Hints:MaxAttempts", "1"));
        var before = await watched.ScrapeAsync();

        await database.ExecuteAsync(Refuse("user_credits"));
        for (var number = 0; number < 5; number++)
            await watched.DeliverAsync(await watched.Keycloak.CreateAsync($"user-{number}"));
        await watched.AfterAsync(page => Sum(page, "bridge_hints_dead") == 5, "all hints are dead");
        await watched.Bridge.Services.GetRequiredService<RollUpStore>().RebuildAsync(whole: true, Token);
        var during = await watched.AfterAsync(page => Sum(page, "bridge_provisioning_eligible") == 5, "they are counted");

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, 2 * Minutes).Fires("CreditBridgeHintsAreDead", "CreditBridgeProvisioningFails").AssertAsync();
    }

    [Fact]
    public async Task A_tier_that_is_not_there_in_changed_settings_fires_the_alert_of_refused_settings_until_it_is_corrected()
    {
        Promtool.Require();
        await using var fixture = await ExecutableFixture.CreateAsync(postgres);
        fixture.Write(Tier("trial"));
        await fixture.StartAsync();
        var before = await ShowsAsync(fixture, "bridge_replicas_live", 1);

        fixture.Write(Tier("gold"));
        var during = await ShowsAsync(fixture, "bridge_settings_refused", 1);
        fixture.Write(Tier("starter"));
        var after = await ShowsAsync(fixture, "bridge_settings_refused", 0);

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeSettingsAreRefused")
            .Scraped(after, Minutes).Fires().AssertAsync();

        static string Tier(string name) => $$"""{ "Provisioning": { "Tier": "{{name}}" } }""";
    }

    private static async Task<string> ShowsAsync(ExecutableFixture fixture, string gauge, double value)
    {
        var page = "";
        await Eventually.TrueAsync(async () => Sum(page = await fixture.GetAsync("metrics"), gauge) == value, $"{gauge} is {value}");
        return page;
    }

    private static string Refuse(string table) =>
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no row of this kind' using errcode = "
        + $"'check_violation'; end $$; create trigger refuse before insert on {table} for each row execute function refuse();";
}
