using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Keycloak;
using KeycloakCreditBridge.Tests.Provisioning.Worker;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Hints;

/// <summary>Hints that a process stores for its own worker.</summary>
public sealed class HintHandoverTests(PostgresFixture postgres)
{
    private const int Room = 100;

    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    private static readonly DateTimeOffset Now = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hint_that_the_worker_of_this_process_gets_is_written_once_and_completed()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 1);
        // While the clock stands still no worker is long at work.
        var clock = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        await using var bridge = BridgeFixture.Build(
            BridgeFixture.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url), clock);
        await clock.AdvanceUntilDoneAsync(bridge.StartAsync(), TimeSpan.FromMilliseconds(50), Token);
        await Eventually.TrueAsync(() => bridge.Services.GetRequiredService<HintHandover>().HasRoom(1), "the worker is ready");
        var user = (await bundle.UserIdsAsync())[0];

        await WriteAsync(bridge, user);

        await Eventually.TrueAsync(async () => (await bundle.AccountsAsync()).Length == 1, "there is an account");
        await Eventually.TrueAsync(
            () => bundle.Database.ScalarAsync<bool>(
                "select n_tup_ins = 1 and n_tup_del = 1 and n_tup_upd = 0 from pg_stat_user_tables where relname = 'user_hints'"),
            "the hint was stored, completed and never claimed");
        await clock.AdvanceUntilDoneAsync(bridge.StopAsync(), TimeSpan.FromMilliseconds(50), Token);
    }

    [Fact]
    public async Task Hints_of_a_process_that_stops_are_due_for_other_replicas_at_once()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 2);
        var users = await bundle.UserIdsAsync();
        bundle.Keycloak.Server.Faults.Hang($"/{EmulatorFixture.Users}/{users[0]}", 1);
        await bundle.Bridge.StartAsync();
        var handover = bundle.Bridge.Services.GetRequiredService<HintHandover>();
        await Eventually.TrueAsync(() => handover.HasRoom(1), "the worker is ready");
        await WriteAsync(bundle.Bridge, users[0]);
        await Eventually.TrueAsync(
            () => bundle.Keycloak.Server.Requests["GET /admin/realms/{realm}/users/{id}"] == 1, "the worker waits for Keycloak");
        var held = await new HintStore(bundle.Database.DataSource).AddAsync(
            [Hint(users[1])], DateTimeOffset.UtcNow, default, DateTimeOffset.UtcNow + Lease, Token);
        handover.Add(held, DateTimeOffset.UtcNow + Lease);

        await bundle.Bridge.StopAsync();

        Assert.Equal(
            ["0 true", "0 true"], await bundle.Database.QueryAsync<string>("select attempts || ' ' || (due_at <= now()) from user_hints"));
        Assert.False(handover.HasRoom(1));
    }

    [Fact]
    public async Task Hints_of_a_process_that_died_are_claimed_when_their_lease_ends_and_not_before()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new HintStore(database.DataSource);
        Assert.Equal(1, Assert.Single(await store.AddAsync([Hint("ana")], Now, Now, Now + Lease, Token)).Attempts);
        Assert.Empty(await store.ClaimAsync(10, Now + Lease - TimeSpan.FromTicks(10), Now + (2 * Lease), null, Token));
        Assert.Equal(2, Assert.Single(await store.ClaimAsync(10, Now + Lease, Now + (2 * Lease), null, Token)).Attempts);
    }

    [Fact]
    public async Task Other_replicas_are_woken_only_for_hints_that_no_worker_holds()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new HintStore(database.DataSource);
        await using var listening = await database.DataSource.OpenConnectionAsync(Token);
        List<string> heard = [];
        listening.Notification += (_, notification) => heard.Add(notification.Payload);
        await using (var listen = new NpgsqlCommand($"listen {HintStore.Channel}", listening))
            await listen.ExecuteNonQueryAsync(Token);

        await store.AddAsync([Hint("ana")], Now, Now, Now + Lease, Token);
        await store.AddAsync([], Now, Now, null, Token);
        await store.AddAsync([Hint("ben"), Hint("eve")], Now, Now, null, Token);

        await database.ExecuteAsync($"notify {HintStore.Channel}, 'that is all'");

        while (!heard.Contains("that is all"))
            await listening.WaitAsync(Token);
        Assert.Equal(["", "that is all"], heard);
    }

    [Fact]
    public void At_most_half_a_batch_waits()
    {
        var handover = New(new ManualTimeProvider(Now));
        Assert.False(handover.HasRoom(1));
        handover.Open();
        Assert.True(handover.HasRoom(Room));
        handover.Add([.. Enumerable.Range(0, Room).Select(number => Held($"user-{number}"))], Now + Lease);
        Assert.False(handover.HasRoom(1));
        var (hints, areMore) = handover.Take();
        Assert.Equal((Room, true), (hints.Count, areMore));
        Assert.True(handover.HasRoom(Room));
        Assert.False(handover.Take().AreMore);
    }

    [Fact]
    public void No_hint_waits_for_a_busy_worker()
    {
        var clock = new ManualTimeProvider();
        var handover = New(clock);
        handover.Open();
        handover.Take();
        Assert.True(handover.HasRoom(1));
        clock.Advance(TimeSpan.FromMilliseconds(51));
        Assert.False(handover.HasRoom(1));
        handover.Idle();
        Assert.True(handover.HasRoom(1));
    }

    [Fact]
    public void A_hint_that_waited_long_is_left_until_its_lease_ends()
    {
        var clock = new ManualTimeProvider(Now);
        var handover = New(clock);
        handover.Open();
        handover.Add([Held("ana")], Now + Lease);
        clock.Advance(Lease / 2);
        Assert.Empty(handover.Take().Hints);
    }

    [Fact]
    public void Of_two_hints_of_one_user_the_last_is_processed()
    {
        var handover = New(new ManualTimeProvider(Now));
        handover.Add([Held("ana", version: 7)], Now + Lease);
        handover.Add([Held("ana", version: 3)], Now + Lease);
        Assert.Equal(3, Assert.Single(handover.Take().Hints).Version);
    }

    [Fact]
    public async Task Unheld_hints_are_claimed_beside_held_ones()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        foreach (var user in (string[])["ana", "ben", "eve"])
            bench.Server.On($"/admin/realms/shop/users/{user}",
                ScriptedKeycloak.Says(200, $$"""{"id":"{{user}}","username":"{{user}}","enabled":true}"""));
        await bench.HintAsync("ana");
        bench.Handover.Open();
        await bench.HintAsync("ben");
        Assert.Equal(2, await bench.WorkAsync());

        // The table is claimed from each second, however many hints this process holds.
        await bench.Database.ExecuteAsync(
            "insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at) select 'shop', 'eve', 0, "
                + "'webhook', 'REGISTER', 'changed', @Now, @Now",
            new { Now = bench.Clock.GetUtcNow() });
        await bench.HintAsync("ana");
        Assert.Equal(1, await bench.WorkAsync());
        bench.Clock.Advance(TimeSpan.FromSeconds(1));
        bench.Handover.Idle();
        await bench.HintAsync("ana");
        Assert.Equal(2, await bench.WorkAsync());
        Assert.Equal(["ana active", "ben active", "eve active"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }

    private static HintHandover New(TimeProvider clock) =>
        new(Options.Create(new HintOptions { BatchSize = 2 * Room, Lease = Lease }), clock);

    private static UserHint Hint(string user) => new(EmulatorFixture.Realm, user, HintKind.Changed, "REGISTER", HintSources.Webhook);

    private static ClaimedHint Held(string user, long version = 1) =>
        new(EmulatorFixture.Realm, user, version, HintSources.Webhook, "REGISTER", HintKind.Changed, Now, 1);

    private static Task WriteAsync(BridgeFixture bridge, string user) =>
        bridge.Services.GetRequiredService<HintWriter>().WriteAsync([Hint(user)], Token);
}
