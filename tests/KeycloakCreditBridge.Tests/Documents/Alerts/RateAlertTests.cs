using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Documents.Alerts.WatchedBridgeFixture;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>Alerts that compare rates: with what was usual, and with the objective of 99.9 % of accounts within five seconds.</summary>
[StartsPrograms]
public sealed class RateAlertTests(PostgresFixture postgres)
{
    private const string Opened = "bridge_accounts_opened_total{tier=\"trial\"}";
    private const string Credits = "bridge_accounts_credits_total{tier=\"trial\"}";
    private const int Users = 30;

    // No event told of these users: the run that found them came later than the objective allows.
    private const string FoundLate = "CreditBridgeAccountsAreSlowForHours";

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(20);
    private static readonly TimeSpan History = TimeSpan.FromDays(8);

    [Theory]
    [InlineData(2, "CreditBridgeUnusualProvisioning", "CreditBridgeUnusualCredits", FoundLate)]
    [InlineData(12, FoundLate)]
    public async Task Many_accounts_fire_the_alert_at_night_and_not_at_the_hour_at_which_they_are_usual(int hour, params string[] alerts)
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString);
        var before = await watched.ScrapeAsync();
        watched.Keycloak.Server.Realm("demo").AddUsers(Users);
        await watched.DoAsync(
            ReconciliationFixture.RunAsync(
                watched.Bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken));
        var during = await watched.AfterAsync(page => Sum(page, "bridge_accounts_opened_total") >= Users, "the accounts are open");

        var timeline = new RuleTimeline(Interval)
            .Recorded(Opened, History + TimeSpan.FromHours(hour), Usual)
            .Recorded(Credits, History + TimeSpan.FromHours(hour), interval => 5 * Usual(interval))
            .Scraped(before, Interval).Fires()
            .Scraped(during, Interval).Fires(alerts);
        // Before this bridge started, one account was opened within the same hour.
        if (alerts.Length > 1)
        {
            timeline
                .Says(
                    alerts[0], $"severity: warning, hour: '{hour}'",
                    $"{Sum(during, Opened) + 1} accounts were opened within an hour. At this hour the 99th percentile of 28 days is 3.",
                    "many-accounts-are-opened-at-once")
                .Says(
                    alerts[1], $"severity: warning, hour: '{hour}'",
                    $"Accounts were opened with {Sum(during, Credits) + 5} credits within an hour. "
                    + "At this hour the 99th percentile of 28 days is 15.",
                    "many-accounts-are-opened-at-once");
        }

        await timeline.AssertAsync();

        // Twenty an interval from noon to one o'clock, else one.
        static double Usual(int interval)
        {
            var (day, ofDay) = (interval / 72, interval % 72);
            return (day * (69 + 60)) + (ofDay <= 36 ? ofDay : ofDay <= 39 ? 36 + (20 * (ofDay - 36)) : 96 + ofDay - 39);
        }
    }

    [Fact]
    public async Task Accounts_that_are_late_after_an_outage_of_Keycloak_fire_both_alerts_of_the_objective()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString);
        var before = await watched.ScrapeAsync();
        var user = await watched.Keycloak.CreateAsync("ana");
        watched.Keycloak.Server.Faults.Fail("/admin/realms/demo/users/*", int.MaxValue, 503);
        await watched.DeliverAsync(user);
        await watched.AfterAsync(page => Sum(page, "bridge_hints_oldest_seconds") > 10, "the hint waits");
        watched.Keycloak.Server.Faults.Reset();
        var during = await watched.AfterAsync(page => Sum(page, "bridge_accounts_opened_total") == 1, "the account is open");

        await new RuleTimeline()
            .Scraped(before, TimeSpan.FromMinutes(10)).Fires()
            .Scraped(during, TimeSpan.FromMinutes(3)).Fires("CreditBridgeAccountsAreSlow", "CreditBridgeAccountsAreSlowForHours")
            .AssertAsync();
    }
}
