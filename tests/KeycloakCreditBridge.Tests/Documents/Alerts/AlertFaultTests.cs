using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Documents.Alerts.WatchedBridgeFixture;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>
/// Each alert is fired by its real fault: what a running bridge shows before and during the fault is given to Prometheus' evaluation of
/// the very rules, and no other alert fires.
/// </summary>
[StartsPrograms]
public sealed class AlertFaultTests(PostgresFixture postgres)
{
    private const string UserReads = "/admin/realms/demo/users/*";

    private static readonly TimeSpan Minutes = TimeSpan.FromMinutes(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Hints_that_wait_for_a_Keycloak_that_is_away_fire_the_alert_of_late_accounts()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString);
        var before = await watched.ScrapeAsync();
        var user = await watched.Keycloak.CreateAsync("ana");

        watched.Keycloak.Server.Faults.Fail(UserReads, int.MaxValue, 503);
        Assert.Equal(HttpStatusCode.NoContent, await watched.DeliverAsync(user));
        var during = await watched.AfterAsync(page => Sum(page, "bridge_hints_oldest_seconds") > 60, "the hint is a minute old");

        await new RuleTimeline().Scraped(before, Minutes).Fires().Scraped(during, Minutes).Fires("CreditBridgeHintsAreLate").AssertAsync();
    }

    [Fact]
    public async Task Users_that_the_database_refuses_to_the_end_fire_the_alert_of_dead_hints()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString, ("Hints:MaxAttempts", "1"));
        var before = await watched.ScrapeAsync();
        await database.ExecuteAsync(
            """
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no account of this kind'; end $$;
            create trigger refuse before insert on user_credits for each row execute function refuse();
            """);

        await watched.DeliverAsync(await watched.Keycloak.CreateAsync("ana"));
        var during = await watched.AfterAsync(page => Sum(page, "bridge_hints_dead") == 1, "the hint is dead");

        await new RuleTimeline().Scraped(before, Minutes).Fires().Scraped(during, Minutes).Fires("CreditBridgeHintsAreDead").AssertAsync();
    }

    [Fact]
    public async Task A_plugin_that_falls_silent_fires_the_alert_of_silent_webhooks()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString, ("Intake:Poll:Enabled", "true"));
        var user = await watched.Keycloak.CreateAsync("ana");
        await watched.DeliverAsync(user);
        var before = await watched.AfterAsync(
            page => Sum(page, "bridge_poll_age_seconds") >= 0 && Sum(page, "bridge_accounts_opened_total") == 1, "the realm is polled");

        for (var number = 0; number < 12; number++)
        {
            Assert.Equal(HttpStatusCode.NoContent, await watched.Keycloak.StatusAsync(
                "PUT", $"{EmulatorFixture.Users}/{user}", await watched.Keycloak.AdminTokenAsync(),
                new JsonObject { ["firstName"] = $"Ana {number}" }));
        }

        var during = await watched.AfterAsync(page => Sum(page, "bridge_poll_hints_total") >= 12, "polling finds the events");

        await new RuleTimeline()
            .Scraped(before, TimeSpan.FromMinutes(40)).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeWebhooksAreSilent").AssertAsync();
    }

    [Fact]
    public async Task Webhooks_with_a_wrong_secret_fire_the_alert_of_refused_webhooks_once()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString);
        var before = await watched.ScrapeAsync();
        for (var number = 0; number < 12; number++)
            Assert.Equal(HttpStatusCode.Unauthorized, await watched.DeliverAsync($"user-{number}", "another-secret"));
        var during = await watched.ScrapeAsync();

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeWebhooksAreRefused")
            .Scraped(during, Minutes).Fires().AssertAsync();
    }

    [Fact]
    public async Task A_PostgreSQL_that_is_away_fires_the_alerts_of_it_and_of_webhooks_that_are_not_stored()
    {
        Promtool.Require();
        await using var server = await PostgresFixture.StartOwnAsync(durable: false);
        await using var watched = await StartAsync(await server.CreateDatabaseAsync("credits", Token));
        var before = await watched.ScrapeAsync();

        await server.StopAsync(immediate: true);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await watched.DeliverAsync("ana"));
        var during = await watched.AfterAsync(page => double.IsNaN(Sum(page, "bridge_replicas_live")), "the bridge misses PostgreSQL");

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeDatabaseIsAway", "CreditBridgeWebhooksAreNotStored").AssertAsync();
    }

    [Fact]
    public async Task Keycloak_that_answers_500_for_events_fires_the_alert_of_failing_polls()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString, ("Intake:Poll:Enabled", "true"));
        var before = await watched.AfterAsync(page => Sum(page, "bridge_poll_age_seconds") >= 0, "the realm is polled");

        watched.Keycloak.Server.Faults.Fail("/admin/realms/demo/*events*", int.MaxValue, 500);
        var during = await watched.AfterAsync(
            page => Sum(page, "bridge_poll_failed_total") > 4 && Sum(page, "bridge_poll_age_seconds") > 300, "polls fail");

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, TimeSpan.FromMinutes(5)).Fires("CreditBridgePollingFails").AssertAsync();
    }

    [Fact]
    public async Task Events_that_are_switched_off_fire_the_alert_of_lost_events_once()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString, ("Intake:Poll:Enabled", "true"));
        var before = await watched.AfterAsync(page => Sum(page, "bridge_poll_age_seconds") >= 0, "the realm is polled");

        Assert.Equal(HttpStatusCode.NoContent, await watched.Keycloak.StatusAsync(
            "PUT", $"{EmulatorFixture.Events}/config", await watched.Keycloak.AdminTokenAsync(),
            new JsonObject { ["eventsEnabled"] = false, ["adminEventsEnabled"] = true }));
        var during = await watched.AfterAsync(page => Sum(page, "bridge_poll_losses_total") == 1, "the loss is noticed");

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeEventsMayBeLost")
            .Scraped(during, Minutes).Fires().AssertAsync();
    }

    [Fact]
    public async Task A_realm_that_cannot_be_listed_fires_the_alert_of_failing_reconciliations()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString);
        var before = await watched.ScrapeAsync();

        watched.Keycloak.Server.Faults.Fail("/admin/realms/demo/users*", int.MaxValue, 500);
        await watched.DoAsync(ReconciliationFixture.RunAsync(watched.Bridge, ReconciliationFixture.AllUsers, null, Token));
        var during = await watched.ScrapeAsync();

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeReconciliationFails").AssertAsync();
    }

    [Fact]
    public async Task A_schedule_that_is_off_fires_the_alert_of_missing_reconciliations_after_a_day()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString);
        var page = await watched.ScrapeAsync();

        await new RuleTimeline(TimeSpan.FromMinutes(5))
            .Scraped(page, TimeSpan.FromHours(23)).Fires()
            .Scraped(page, TimeSpan.FromHours(2)).Fires("CreditBridgeReconciliationDoesNotRun").AssertAsync();
    }

    [Fact]
    public async Task Reports_behind_a_locked_account_fire_the_alert_of_late_charges()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString, ("Metering:ApiKeys:0", MeteringFixture.Key));
        var user = await watched.Keycloak.CreateAsync("ana");
        await watched.DeliverAsync(user);
        var before = await watched.AfterAsync(page => Sum(page, "bridge_accounts_opened_total") == 1, "the account is open");

        await using var connection = await database.DataSource.OpenConnectionAsync(Token);
        await using var held = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("select from user_credits for update");
        using var http = new HttpClient { BaseAddress = watched.Bridge.Url };
        http.DefaultRequestHeaders.Add("x-api-key", MeteringFixture.Key);
        using var report = new StringContent(
            MeteringFixture.Record("r1", user, 1m).ToJsonString(), Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync(new Uri("usage/litellm", UriKind.Relative), report, Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var during = await watched.AfterAsync(page => Sum(page, "bridge_meter_lag_seconds") > 60, "the report is a minute late");

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(during, Minutes).Fires("CreditBridgeUsageIsChargedLate").AssertAsync();
    }

    [Fact]
    public async Task A_bridge_that_has_ended_fires_the_alert_of_its_absence()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString);
        var before = await watched.ScrapeAsync();

        await watched.Bridge.StopAsync();
        var during = await watched.ScrapeAsync();
        Assert.Null(during);

        await new RuleTimeline().Scraped(before, Minutes).Fires().Scraped(during, Minutes).Fires("CreditBridgeIsAway").AssertAsync();
    }
}
