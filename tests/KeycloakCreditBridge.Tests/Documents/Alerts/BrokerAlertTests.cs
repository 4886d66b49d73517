using KeycloakCreditBridge.Tests.Intake.Broker;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Documents.Alerts.WatchedBridgeFixture;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>The same for the alerts of a broker, with a real one.</summary>
[StartsPrograms]
public sealed class BrokerAlertTests(PostgresFixture postgres, RabbitFixture rabbit) : IClassFixture<RabbitFixture>
{
    private static readonly TimeSpan Minutes = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task A_broker_that_takes_an_event_which_is_none_and_then_stops_fires_the_alerts_of_both()
    {
        Promtool.Require();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var watched = await StartAsync(database.ConnectionString, rabbit.Settings("credit-bridge.events"));
        var before = await watched.AfterAsync(page => Sum(page, "bridge_broker_connected") == 1, "the bridge takes events");

        await rabbit.PublishAsync(("KK.EVENT.CLIENT.demo.SUCCESS.account-console.REGISTER", "no event"u8.ToArray()));
        var unreadable = await watched.AfterAsync(page => Sum(page, "bridge_broker_refused_total") == 1, "the event is a dead letter");
        await rabbit.StopAsync();
        var away = await watched.AfterAsync(page => Sum(page, "bridge_broker_connected") == 0, "the broker is away");

        await new RuleTimeline()
            .Scraped(before, Minutes).Fires()
            .Scraped(unreadable, Minutes).Fires("CreditBridgeEventsAreUnreadable")
            .Scraped(away, 2 * Minutes).Fires("CreditBridgeBrokerIsAway").AssertAsync();
    }
}
