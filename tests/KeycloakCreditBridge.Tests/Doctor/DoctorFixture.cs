using System.Text.Json.Nodes;
using KeycloakCreditBridge.Cli.Doctor;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Doctor;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Setup;
using KeycloakCreditBridge.Setup.Realms;
using KeycloakCreditBridge.Tests.Setup;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Doctor;

/// <summary>A bridge that runs on a realm that setup prepared, for faults to be planted into one after the other.</summary>
internal sealed class DoctorFixture : IAsyncDisposable
{
    private readonly PostgresFixture _postgres;
    private readonly BridgeFixture _bridge;
    private TimeProvider _clock = TimeProvider.System;

    private DoctorFixture(SetupFixture setup, PostgresFixture postgres, BridgeFixture bridge) =>
        (Setup, _postgres, _bridge, Settings) = (setup, postgres, bridge, Right(setup));

    public SetupFixture Setup { get; }

    /// <summary>Settings of the doctor; a change that a fault makes is undone by <see cref="RepairAsync"/>.</summary>
    public Dictionary<string, string?> Settings { get; private set; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Webhooks => $"realms/{Setup.Realm}/webhooks";

    public static async Task<DoctorFixture> StartAsync(IKeycloakServer server, PostgresFixture postgres)
    {
        var setup = await SetupFixture.CreateAsync(server, postgres);
        var bridge = BridgeFixture.Build(Right(setup));
        var faulty = new DoctorFixture(setup, postgres, bridge);
        await faulty.SetUpAsync();
        await bridge.StartAsync();
        await Eventually.TrueAsync(
            () => setup.Database.ScalarAsync<bool>("select exists (select from reconcile_runs where status = 'done')"),
            "the first reconciliation is over");
        return faulty;
    }

    /// <summary>What doctor finds, and the exit code of `doctor --strict`.</summary>
    public async Task<(int ExitCode, IReadOnlyList<CheckResult> Found)> RunDoctorAsync()
    {
        await using var app = Compose(Settings, _clock);
        List<CheckResult> found = [];
        await DoctorRun.RunAsync(app.Services, Administrator, found.Add, Token);
        return (DoctorCommand.CodeOf(found, Verdict.Warn), found);
    }

    /// <summary>Undoes a fault: with what it left behind, and otherwise by setup, which is the cure that doctor names.</summary>
    public async Task RepairAsync(Func<Task>? repair)
    {
        (Settings, _clock) = (Right(Setup), TimeProvider.System);
        if (repair is not null)
            await repair();
        await SetUpAsync();
    }

    public Task SetRolesAsync(IEnumerable<string> roles) =>
        Setup.Admin.SetServiceAccountRolesAsync(Setup.Realm, SetupFixture.ClientId, roles, Token);

    public async Task UpdateRealmAsync(JsonObject changes) => await Setup.Admin.UpdateRealmAsync(Setup.Realm, changes, Token);

    public async Task<Func<Task>?> DeleteWebhookAsync()
    {
        foreach (var webhook in (await Setup.SendAsync(HttpMethod.Get, Webhooks))!.AsArray())
            await Setup.SendAsync(HttpMethod.Delete, $"{Webhooks}/{webhook!["id"]}");
        return null;
    }

    public async Task DeleteStrayWebhooksAsync() => await DeleteWebhookAsync();

    public async Task ChangeWebhookAsync(Action<JsonObject> change)
    {
        var webhook = (await Setup.SendAsync(HttpMethod.Get, Webhooks))!.AsArray().Single()!;
        var body = new JsonObject
        {
            ["enabled"] = true, ["url"] = Setup.WebhookUrl, ["secret"] = SetupFixture.WebhookSecret,
            ["eventTypes"] = webhook["eventTypes"]!.DeepClone(),
        };
        change(body);
        await Setup.SendAsync(HttpMethod.Put, $"{Webhooks}/{webhook["id"]}", body);
    }

    public Task<Func<Task>?> ShiftClockAsync(TimeSpan shift)
    {
        _clock = new ShiftedClock(shift);
        return Task.FromResult<Func<Task>?>(null);
    }

    public async Task<Func<Task>?> UseEmptyDatabaseAsync()
    {
        var empty = await _postgres.CreateEmptyDatabaseAsync();
        Settings["Storage:ConnectionString"] = empty.ConnectionString;
        return async () => await empty.DisposeAsync();
    }

    public async Task<Func<Task>?> UseWeakRoleAsync()
    {
        var role = $"weak_{Guid.NewGuid():N}";
        await Setup.Database.ExecuteAsync($"create role {role}; grant select on all tables in schema public to {role}");
        Settings["Storage:ConnectionString"] = $"{Setup.Database.ConnectionString};Options=-c role={role}";
        return () => Setup.Database.ExecuteAsync($"drop owned by {role}; drop role {role}");
    }

    public async Task<Func<Task>?> AddHintAsync(string state)
    {
        // Due in an hour, so that the bridge that runs does not complete it.
        await Setup.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, state, error)
            values (
                @Realm, 'some-user', nextval('user_hints_version'), 'webhook', 'REGISTER', 'changed',
                now() - interval '5 minutes', now() + interval '1 hour', @State, 'bad luck')
            """,
            new { Setup.Realm, State = state });
        return () => Setup.Database.ExecuteAsync("delete from user_hints");
    }

    public async Task<Func<Task>?> AddFailedDeliveryAsync()
    {
        await Setup.Database.ExecuteAsync(
            """
            insert into deliveries (received_at, id, realm, way, outcome, hints, duration_us)
            select now(), gen_random_uuid(), @Realm, 'webhook', outcome, 0, 1 from unnest(array['stored', 'refused']) as outcome
            """,
            new { Setup.Realm });
        return () => Setup.Database.ExecuteAsync("delete from deliveries");
    }

    public async Task<Func<Task>?> AgeAnalyticsAsync()
    {
        await Setup.Database.ExecuteAsync(
            """
            insert into analytics_state (zone, rebuilt_at, whole_at) values ('UTC', now() - interval '1 day', now())
            on conflict (single) do update set rebuilt_at = excluded.rebuilt_at
            """);
        return () => Setup.Database.ExecuteAsync("delete from analytics_state");
    }

    public async Task<Func<Task>?> AddOlderReplicaAsync()
    {
        await Setup.Database.ExecuteAsync(
            """
            insert into replicas (id, version, last_migration, started_at, last_seen)
            values ('older', '0.1.0', 32, now(), now()), ('newer', '0.2.0', 32, now(), now())
            """);
        return () => Setup.Database.ExecuteAsync("delete from replicas where id in ('older', 'newer')");
    }

    public async Task<Func<Task>?> AddDifferingReplicasAsync()
    {
        await Setup.Database.ExecuteAsync(
            """
            insert into replicas (id, version, last_migration, settings, started_at, last_seen)
            select 'differing-' || n, '0.1.0', 47, 'hash-' || n, now(), now() from generate_series(1, 2) n
            """);
        return () => Setup.Database.ExecuteAsync("delete from replicas where id like 'differing-%'");
    }

    public async Task<Func<Task>?> ForgetRunsAsync()
    {
        await Setup.Database.ExecuteAsync("update reconcile_runs set status = 'failed', error = 'planted' where status = 'done'");
        return () => Setup.Database.ExecuteAsync("update reconcile_runs set status = 'done', error = null where error = 'planted'");
    }

    public async ValueTask DisposeAsync()
    {
        await _bridge.StopAsync();
        await _bridge.DisposeAsync();
        await Setup.DisposeAsync();
    }

    private static Dictionary<string, string?> Right(SetupFixture setup)
    {
        var settings = setup.Settings;
        settings["Intake:Webhook:Url"] = setup.BridgeUrl.ToString();
        return settings;
    }

    private Administrator Administrator => new("master", Setup.Server.AdminUser, IsClient: false, Setup.Server.AdminPassword);

    private async Task SetUpAsync()
    {
        await using var app = Compose(Right(Setup), TimeProvider.System);
        var options = app.Services.GetRequiredService<IOptions<KeycloakOptions>>().Value;
        var account = new AdministratorToken(app.Services.GetRequiredService<TokenEndpoint>(), Administrator);
        var session = new AdminSession(
            app.Services.GetRequiredService<AdminTransport>(), Setup.Realm, account);
        var wanted = new SetupOptions(TimeSpan.FromDays(30), Setup.BridgeUrl, Webhooks: true, PollInterval: null);
        await (await new RealmSetup(session, options).PlanAsync(wanted, Token)).ApplyAsync(Token);
    }

    private static Microsoft.AspNetCore.Builder.WebApplication Compose(Dictionary<string, string?> settings, TimeProvider clock)
    {
        var builder = Program.Compose([]);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddSingleton(clock);
        builder.Services.AddSingleton(LogTarget.Command);
        return builder.Build();
    }

    private sealed class ShiftedClock(TimeSpan shift) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + shift;
    }
}
