using System.Net;
using System.Text;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Intake;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Contract;

public sealed class OnceTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const int Users = 60;
    private const int AtOnce = 32;

    private const string CompletedSql =
        "select not exists (select from user_hints) and exists (select from poll_cursors where stream = 'admin-events')";

    private const string CountsSql =
        """
        select concat_ws(' ', (select count(*) from user_credits), (select count(*) from credit_transactions),
            (select count(*) from audit_logs))
        """;

    private static readonly string[] AnySource = [HintSources.Webhook, HintSources.Poll, HintSources.Reconciliation, HintSources.Backfill];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_at_once_on_two_bridges_grants_each_user_once()
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, KeycloakKind.Emulator, EventDelivery.Polling);
        // No bridge runs yet: all of them are new to both bridges, by every way, at the same time.
        var ids = await Task.WhenAll(Enumerable.Range(0, Users).Select(number => fixture.CreateUserAsync($"user-{number}")));
        Uri[] urls = [fixture.BridgeUrl, new($"http://127.0.0.1:{FreePort.Next()}/")];
        var bridges = await Task.WhenAll(urls.Select(url => fixture.StartAnotherBridgeAsync(("Urls", url.ToString()))));

        var reconcile = new RunRequest(fixture.Realm, RunTriggers.Command);
        var backfill = reconcile with { ReEvaluate = true };
        Task[] work =
        [
            DeliverAsync(fixture.Realm, urls, ids),
            .. bridges.Select(bridge => RunAsync(bridge, reconcile)),
            .. bridges.Select(bridge => RunAsync(bridge, backfill)),
        ];
        await Task.WhenAll(work);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(CompletedSql), "everything is worked through");
        foreach (var bridge in bridges)
        {
            await bridge.StopAsync();
            await bridge.DisposeAsync();
        }

        foreach (var id in ids)
            await fixture.Database.AssertOpenedAsync(id, AnySource);
        Assert.Equal(
            $"{Users} {Users} {Users}",
            await fixture.Database.ScalarAsync<string>(CountsSql));
    }

    // Every user is reported twice to each bridge.
    private static async Task DeliverAsync(string realm, Uri[] bridges, string[] ids)
    {
        using var http = new HttpClient();
        var deliveries = from round in Enumerable.Range(0, 2) from id in ids from bridge in bridges select (bridge, id);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = Token };
        await Parallel.ForEachAsync(deliveries, parallel, async (delivery, token) =>
        {
            var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent(delivery.id, realm: realm));
            var address = new Uri(delivery.bridge, $"webhooks/keycloak/{realm}");
            // A bridge whose schema is not ready yet wants it again later, and the plugin would send it again.
            await Eventually.TrueAsync(() => IsTakenAsync(http, address, body, token), "the delivery is taken");
        });
    }

    private static async Task<bool> IsTakenAsync(HttpClient http, Uri address, byte[] body, CancellationToken token)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new("application/json");
        content.Headers.Add(HmacSignature.Header, Deliveries.Sign(body, ContractFixture.Secret));
        using var answer = await http.PostAsync(address, content, token);
        Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.NoContent, HttpStatusCode.ServiceUnavailable });
        return answer.IsSuccessStatusCode;
    }

    // Only one run of a realm is at work at a time: the second one waits for its turn.
    private static async Task RunAsync(BridgeFixture bridge, RunRequest request)
    {
        var reconciler = bridge.Services.GetRequiredService<Reconciler>();
        await Eventually.TrueAsync(
            async () => (await reconciler.RunAsync(request, new Progress<ReconcileProgress>(), Token)).Status == ReconcileStatus.Done,
            "the run is done");
    }
}
