using System.Text.RegularExpressions;
using KeycloakCreditBridge.Outbox.Recording;
using KeycloakCreditBridge.Outbox.Sending;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Credits.Balances;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Outbox;

/// <summary>From a request of a user to the program that hears of it.</summary>
public sealed partial class RunningBridgeTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_users_and_administrators_do_reaches_the_endpoint_in_order()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await CreditsFixture.StartAsync(postgres, Settings(sink));
        await KnownAsync(fixture);
        var user = await fixture.AddUserAsync();
        foreach (var amount in (string[])["4", "1"])
        {
            await BalanceWriters.PostAsync(
                fixture, CreditsFixture.Deduct, new() { ["user_id"] = user, ["amount"] = amount, ["service"] = "chat" });
        }

        await BalanceWriters.PostAsync(
            fixture, CreditsFixture.Allocate, new() { ["user_id"] = user, ["amount"] = "7", ["source"] = "shop" });

        await Eventually.TrueAsync(() => Types().Count() == 5, "five events are taken");
        Assert.Equal(
            ["credits.account.opened", "credits.granted", "credits.low", "credits.exhausted", "credits.granted"], Types());
        await Eventually.TrueAsync(
            async () => Sent().IsMatch(await fixture.Bridge.ReadMetricsAsync()), "the metric counts them");

        IEnumerable<string> Types() => sink.Asked.Where(one => one.Account == user).Select(one => one.Type);
    }

    [Fact]
    public async Task A_replica_sends_what_one_left_whose_lease_ran_out()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var database = await postgres.CreateDatabaseAsync();
        // One that was killed: its lease is still there, and what it had under way was not kept.
        await database.ExecuteAsync(
            """
            insert into leases (name, owner, held_until) values ('outbox:crm', 'killed', now() + interval '3 seconds');
            insert into outbox_endpoints (name, position) values ('crm', 0);
            insert into outbox (account_id, type, data) values ('user-1', 'credits.granted', '{}'), ('user-1', 'credits.low', '{}')
            """);
        await using var bridge = await BridgeFixture.Build(
            BridgeFixture.Settings(database.ConnectionString, new Uri("http://127.0.0.1:9")), Settings(sink)).StartAsync();
        await Eventually.TrueAsync(() => sink.Taken.Count() == 2, "both events are taken");
        Assert.Equal(["user-1 credits.granted", "user-1 credits.low"], sink.Taken);
    }

    private static (string Key, string? Value)[] Settings(SinkFixture sink) =>
    [
        ("Outbox:Enabled", "true"), ("Outbox:Low:trial", "2"), ("Outbox:Endpoints:crm:Url", $"{sink.Url}"),
        ("Outbox:Endpoints:crm:Secret", SinkFixture.Secret), ("Outbox:Endpoints:crm:AllowHttp", "true"),
        ("Outbox:Endpoints:crm:AllowPrivate", "true"),
    ];

    private static Task KnownAsync(CreditsFixture fixture) => Eventually.TrueAsync(
        async () => await new EventSwitchStore(fixture.Database.DataSource).IsOnAsync(Token) == true
            && await new EndpointStore(fixture.Database.DataSource).StateAsync("crm", Token) is not null,
        "events are recorded and sent");

    [GeneratedRegex("""bridge_outbox_sent_total\{endpoint="crm"\} [5-9]""")]
    private static partial Regex Sent();
}
