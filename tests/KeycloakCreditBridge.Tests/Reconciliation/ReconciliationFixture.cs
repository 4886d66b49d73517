using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>An emulated Keycloak, a migrated database, and the bridge between them with pages of 10 users that overlap by 3.</summary>
internal sealed class ReconciliationFixture : IAsyncDisposable
{
    public static RunRequest AllUsers => new(EmulatorFixture.Realm, RunTriggers.Command, Mode: ReconcileMode.List);

    public static RunRequest By(ReconcileMode mode) => AllUsers with { Mode = mode };

    public static RunRequest By(string mode) => By(Enum.Parse<ReconcileMode>(mode, ignoreCase: true));

    public TestDatabase Database { get; private set; } = null!;

    public EmulatorFixture Keycloak { get; private set; } = null!;

    public BridgeFixture Bridge { get; private set; } = null!;

    public EmulatedRealm Realm => Keycloak.Server.Realm(EmulatorFixture.Realm);

    public static async Task<ReconciliationFixture> StartAsync(
        PostgresFixture postgres, int users = 0, ServerModel model = ServerModel.V26_7)
    {
        var fixture = new ReconciliationFixture();
        fixture.Database = await postgres.CreateDatabaseAsync();
        fixture.Keycloak = await EmulatorFixture.StartAsync(model);
        fixture.Bridge = fixture.NewBridge();
        if (users > 0)
            fixture.Realm.AddUsers(users);
        return fixture;
    }

    /// <summary>Another process's bridge on the same database.</summary>
    public BridgeFixture NewBridge() => BridgeFixture.Build(Database, Keycloak);

    public Task<ReconcileOutcome> RunAsync(RunRequest request, Action<ReconcileProgress>? onProgress = null) =>
        RunAsync(Bridge, request, onProgress, TestContext.Current.CancellationToken);

    public static Task<ReconcileOutcome> RunAsync(
        BridgeFixture bridge, RunRequest request, Action<ReconcileProgress>? onProgress, CancellationToken cancellationToken) =>
        bridge.Services.GetRequiredService<Reconciler>().RunAsync(request, new Progress(onProgress), cancellationToken);

    public Task<string[]> AccountsAsync() => ReadAsync("select user_id from user_credits order by user_id");

    /// <summary>Ids of the users that Keycloak has, in the order of its list.</summary>
    public async Task<string[]> UserIdsAsync()
    {
        var users = await Keycloak.ListAsync(
            $"{EmulatorFixture.Users}?briefRepresentation=true&max=100000", await Keycloak.AdminTokenAsync());
        return [.. users.Select(person => (string)person!["id"]!)];
    }

    public async Task AssertAllUsersHaveAccountsAsync() =>
        Assert.Equal((await UserIdsAsync()).Order(StringComparer.Ordinal), await AccountsAsync());

    public async Task<string> StatusOfLatestRunAsync() =>
        (await ReadAsync("select status from reconcile_runs order by id desc limit 1"))[0];

    public async ValueTask DisposeAsync()
    {
        await Bridge.DisposeAsync();
        await Keycloak.DisposeAsync();
        await Database.DisposeAsync();
    }

    private async Task<string[]> ReadAsync(string sql) => [.. await Database.QueryAsync<string>(sql)];

    private sealed class Progress(Action<ReconcileProgress>? onProgress) : IProgress<ReconcileProgress>
    {
        public void Report(ReconcileProgress value) => onProgress?.Invoke(value);
    }
}
