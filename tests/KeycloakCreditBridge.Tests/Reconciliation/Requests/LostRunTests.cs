using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Requests;

/// <summary>Runs whose process ended before they began, or before they ended.</summary>
[StartsPrograms]
public sealed class LostRunTests(PostgresFixture postgres)
{
    private const string Begun = "Reconciling realm demo (http).";

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(250);

    private static readonly (string Key, string? Value) Enabled = ("Reconciliation:Enabled", "true");

    private static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_whose_process_is_killed_before_it_begins_is_done_by_the_next_one_and_once()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await using var killed = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.Settings);
        await Eventually.TrueAsync(
            async () => await fixture.CountAsync("reconcile_runs where status = 'done'") == 1, "the first run is over");
        await using (var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token))
        {
            // The run is on record, and the scheduler does not take it.
            await using var held = await connection.BeginTransactionAsync(Token);
            await connection.ExecuteAsync("select 1 from quartz.qrtz_locks for update");
            var asked = EnqueueAsync(fixture);
            await Eventually.TrueAsync(
                async () => await fixture.CountAsync("reconcile_runs where status = 'waiting'") == 1, "the run is enqueued");
            await killed.KillAsync();
            await Assert.ThrowsAsync<HttpRequestException>(() => asked);
        }

        await using var next = await BridgeProcess.StartAsync(FaultFixture.NewUrl(), fixture.Settings);
        await Eventually.TrueAsync(
            async () => await fixture.CountAsync("reconcile_runs where trigger = 'http' and status = 'done'") == 1, "the run is done");
        Assert.True(await next.TerminateAsync());
        Assert.Equal(1, await fixture.CountAsync("reconcile_runs where trigger = 'http'"));
        Assert.Equal(2, next.Log.Split(Begun).Length);
    }

    [Fact]
    public async Task A_complete_scan_whose_process_is_killed_is_resumed_by_another_replica()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        for (var number = 0; number < 40; number++)
            fixture.Keycloak.Realm(FaultFixture.Realm).AddUser(
                new EmulatedUser($"user-{number}", $"user{number}") { CreatedTimestamp = 1_600_000_000_000 + (number * 86_400_000L) });
        var settings = new Dictionary<string, string>(fixture.Settings, StringComparer.Ordinal) { ["Reconciliation:WindowUsers"] = "10" };
        var killedSettings = new Dictionary<string, string>(settings, StringComparer.Ordinal);
        KillPoint.Plant(killedSettings, "saved:3");
        await using (var killed = BridgeProcess.Launch(fixture.BridgeUrl, killedSettings))
        {
            await Eventually.TrueAsync(
                async () => await fixture.CountAsync("pg_namespace where nspname = 'quartz'") == 1
                    && await fixture.CountAsync("reconcile_runs where position > 0") == 1
                    && await killed.StatusAsync("health/live") is null,
                "the run has begun and its process has died");
        }

        await using var next = await BridgeProcess.StartAsync(FaultFixture.NewUrl(), settings);
        await Eventually.TrueAsync(async () => await fixture.CountAsync("reconcile_runs where status = 'done'") == 1, "the run is done");

        Assert.True(await next.TerminateAsync());
        Assert.Equal(1, await fixture.CountAsync("reconcile_runs where seen = 40"));
        Assert.Equal(1, await fixture.CountAsync("reconcile_runs"));
        Assert.Equal(40, await fixture.AccountsAsync());
        Assert.Contains("resumes after", next.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_run_is_retried_after_a_while_and_a_run_of_a_command_is_not()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 15);
        var store = fixture.Bridge.Services.GetRequiredService<RequestedRunStore>();
        await fixture.Database.ExecuteAsync(
            """
            insert into reconcile_runs (realm, mode, trigger, status, dry_run, re_evaluate, owner, started_at, updated_at)
            select @Realm, r.mode, r.trigger, r.status, false, false, '', @Now - r.ago, @Now - r.ago
            from (values ('windows', 'command', 'failed', interval '1 hour'), ('windows', 'daily', 'failed', interval '2 days'),
                ('counts', 'schedule', 'failed', interval '1 hour'),
                ('windows', 'http', 'failed', interval '1 hour'), ('windows', 'daily', 'failed', interval '1 hour'),
                    ('counts', 'http', 'stopped', interval '0'),
                ('windows', 'asked', 'failed', interval '1 minute')) r (mode, trigger, status, ago)
            """,
            new { EmulatorFixture.Realm, Now });

        await store.RequeueInterruptedAsync(
            [EmulatorFixture.Realm], Now, Now - Reconciler.ResumableFor, Now - TimeSpan.FromMinutes(5), Token);

        Assert.Equal(
            ["daily windows", "http counts"],
            await fixture.Database.QueryAsync<string>(
                "select trigger || ' ' || mode from reconcile_runs where status = 'waiting' order by id"));
    }

    [Fact]
    public async Task Replicas_that_start_together_have_a_run_that_waits_done_once()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 15);
        var run = await EnqueueAsync(fixture.Bridge);

        await using var one = BridgeFixture.Build(fixture.Database, fixture.Keycloak, Enabled);
        await using var two = BridgeFixture.Build(fixture.Database, fixture.Keycloak, Enabled);
        await Task.WhenAll(one.StartAsync(), two.StartAsync());
        await DoneAsync(fixture, run);
        await Task.WhenAll(one.StopAsync(), two.StopAsync());

        Assert.Single(one.Log.All.Concat(two.Log.All), line => line.Contains(Begun, StringComparison.Ordinal));
        Assert.DoesNotContain(one.Log.All.Concat(two.Log.All), line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_running_replica_takes_up_a_run_that_another_enqueued_and_lost()
    {
        var clock = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 15);
        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Server.Url);
        var atStart = await EnqueueAsync(fixture.Bridge);
        await using var bridge = BridgeFixture.Build(settings, clock, Enabled);
        await bridge.StartAsync();
        await TakenUpAsync(atStart);

        var later = await EnqueueAsync(fixture.Bridge);

        await TakenUpAsync(later);
        await clock.AdvanceUntilDoneAsync(bridge.StopAsync(), Step, Token);

        // A clock that runs ahead ends the lease of a run at work.
        async Task TakenUpAsync(long run)
        {
            await Eventually.TrueAsync(
                () =>
                {
                    clock.Advance(Step);
                    return fixture.Database.ScalarAsync<bool>(
                        "select status <> 'waiting' from reconcile_runs where id = @run", new { run });
                },
                "the run is taken up");
            await DoneAsync(fixture, run);
        }
    }

    private static Task DoneAsync(ReconciliationFixture fixture, long run) => Eventually.TrueAsync(
        () => fixture.Database.ScalarAsync<bool>("select status = 'done' and seen = 15 from reconcile_runs where id = @run", new { run }),
        "the run is done");

    // What the endpoint does first; then its process ends.
    private static Task<long> EnqueueAsync(BridgeFixture bridge) => bridge.Services.GetRequiredService<RequestedRunStore>().EnqueueAsync(
        new RunRequest(EmulatorFixture.Realm, RunTriggers.Http, Mode: ReconcileMode.List), TimeProvider.System.GetUtcNow(), Token);

    private static async Task EnqueueAsync(FaultFixture fixture)
    {
        var token = fixture.Keycloak.Realm(FaultFixture.Realm).Sign(new JsonObject
        {
            ["iss"] = $"{fixture.Keycloak.Url}realms/{FaultFixture.Realm}",
            ["aud"] = "credit-bridge",
            ["iat"] = DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeSeconds(),
            ["exp"] = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds(),
            ["typ"] = "Bearer",
            ["sub"] = "boss",
            ["realm_access"] = new JsonObject { ["roles"] = new JsonArray("credits-admin") },
        });
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(fixture.BridgeUrl, "api/v1/admin/reconciliations"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
        using var answer = await http.SendAsync(request, Token);
        Assert.Fail($"It was answered {answer.StatusCode}.");
    }
}
