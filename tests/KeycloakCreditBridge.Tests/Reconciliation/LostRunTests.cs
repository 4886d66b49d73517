using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Requests;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>Runs that were announced over HTTP by a process that ended before they began.</summary>
public sealed class LostRunTests(PostgresServer postgres)
{
    private const string Begun = "Reconciling realm demo (http).";

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(250);

    // No schedule takes them up meanwhile.
    private static readonly (string Key, string? Value)[] Settings =
        [("Reconciliation:Enabled", "true"), ("Reconciliation:Cron", "0 0 5 1 1 ?"), ("Reconciliation:CompleteCron", "0 0 5 1 1 ?")];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_whose_process_is_killed_before_it_begins_is_done_by_the_next_one_and_once()
    {
        await using var scene = await FaultScene.CreateAsync();
        var settings = new Dictionary<string, string>(scene.Settings, StringComparer.Ordinal);
        foreach (var (key, value) in Settings)
            settings[key] = value!;
        await using var killed = await BridgeProcess.StartAsync(scene.BridgeUrl, settings);
        await Eventually.TrueAsync(async () => await scene.CountAsync("reconcile_runs where status = 'done'") == 1, "the first run is over");
        await using (var connection = await scene.Database.DataSource.OpenConnectionAsync(Token))
        {
            // The run is on record, and the schedule does not take it.
            await using var held = await connection.BeginTransactionAsync(Token);
            await connection.ExecuteAsync("select 1 from quartz.qrtz_locks for update");
            var asked = AnnounceAsync(scene);
            await Eventually.TrueAsync(async () => await scene.CountAsync("reconcile_runs where status = 'waiting'") == 1, "the run is announced");
            await killed.KillAsync();
            await Assert.ThrowsAsync<HttpRequestException>(() => asked);
        }

        await using var next = await BridgeProcess.StartAsync(FaultScene.NewUrl(), settings);
        await Eventually.TrueAsync(async () => await scene.CountAsync("reconcile_runs where trigger = 'http' and status = 'done'") == 1, "the run is done");
        Assert.True(await next.TerminateAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal(1, await scene.CountAsync("reconcile_runs where trigger = 'http'"));
        Assert.Equal(2, next.Log.Split(Begun).Length);
    }

    [Fact]
    public async Task Replicas_that_start_together_have_a_run_that_waits_done_once()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 15);
        var run = await AnnounceAsync(bundle.Bridge);

        await using var one = BridgeHost.Build(bundle.Database, bundle.Keycloak, Settings);
        await using var two = BridgeHost.Build(bundle.Database, bundle.Keycloak, Settings);
        await Task.WhenAll(one.StartAsync(), two.StartAsync());
        await DoneAsync(bundle, run);
        await Task.WhenAll(one.StopAsync(), two.StopAsync());

        Assert.Single(one.Log.All.Concat(two.Log.All), line => line.Contains(Begun, StringComparison.Ordinal));
        Assert.DoesNotContain(one.Log.All.Concat(two.Log.All), line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_replica_that_runs_notices_a_run_that_another_announced_and_lost()
    {
        var clock = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 15);
        var settings = BridgeHost.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url);
        var atStart = await AnnounceAsync(bundle.Bridge);
        await using var bridge = BridgeHost.Build(settings, clock, Settings);
        await clock.AdvanceUntilDoneAsync(bridge.StartAsync(), Step, Token);
        await DoneAsync(bundle, atStart, () => clock.Advance(Step));

        var later = await AnnounceAsync(bundle.Bridge);

        await DoneAsync(bundle, later, () => clock.Advance(Step));
        await clock.AdvanceUntilDoneAsync(bridge.StopAsync(), Step, Token);
    }

    private static Task DoneAsync(ReconcileBundle bundle, long run, Action? between = null) => Eventually.TrueAsync(
        () =>
        {
            between?.Invoke();
            return bundle.Database.ScalarAsync<bool>("select status = 'done' and seen = 15 from reconcile_runs where id = @run", new { run });
        },
        "the run is done");

    // What the endpoint does first; then its process ends.
    private static Task<long> AnnounceAsync(BridgeHost bridge) => bridge.Services.GetRequiredService<RequestedRunStore>().AnnounceAsync(
        new ReconcileRequest(EmulatorDriver.Realm, ReconcileTriggers.Http, Mode: ReconcileMode.List), TimeProvider.System.GetUtcNow(), Token);

    private static async Task AnnounceAsync(FaultScene scene)
    {
        var token = scene.Keycloak.Realm(FaultScene.Realm).Sign(new JsonObject
        {
            ["iss"] = $"{scene.Keycloak.Url}realms/{FaultScene.Realm}",
            ["aud"] = "credit-bridge",
            ["iat"] = DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeSeconds(),
            ["exp"] = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds(),
            ["typ"] = "Bearer",
            ["sub"] = "boss",
            ["realm_access"] = new JsonObject { ["roles"] = new JsonArray("credits-admin") },
        });
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(scene.BridgeUrl, "api/v1/admin/reconciliations"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
        using var answer = await http.SendAsync(request, Token);
        Assert.Fail($"It was answered {answer.StatusCode}.");
    }
}
