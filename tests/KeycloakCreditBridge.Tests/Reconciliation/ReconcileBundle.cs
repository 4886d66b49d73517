using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>An emulated Keycloak, a migrated database, and the bridge between them with pages of 10 users that overlap by 3.</summary>
internal sealed class ReconcileBundle : IAsyncDisposable
{
    public static ReconcileRequest Everybody => new(EmulatorDriver.Realm, ReconcileTriggers.Command, Mode: ReconcileMode.List);

    public static ReconcileRequest By(ReconcileMode mode) => Everybody with { Mode = mode };

    public static ReconcileRequest By(string mode) => By(Enum.Parse<ReconcileMode>(mode, ignoreCase: true));

    public TestDatabase Database { get; private set; } = null!;

    public EmulatorDriver Keycloak { get; private set; } = null!;

    public BridgeHost Bridge { get; private set; } = null!;

    public EmulatedRealm Realm => Keycloak.Server.Realm(EmulatorDriver.Realm);

    public static async Task<ReconcileBundle> StartAsync(PostgresServer postgres, int users = 0, ServerModel model = ServerModel.V26_7)
    {
        var bundle = new ReconcileBundle();
        bundle.Database = await postgres.CreateDatabaseAsync();
        bundle.Keycloak = await EmulatorDriver.StartAsync(model);
        bundle.Bridge = bundle.NewBridge();
        if (users > 0)
            bundle.Realm.AddUsers(users);
        return bundle;
    }

    /// <summary>Another process's bridge on the same database.</summary>
    public BridgeHost NewBridge() => BridgeHost.Build(Database, Keycloak);

    public Task<ReconcileOutcome> RunAsync(ReconcileRequest request, Action<ReconcileProgress>? onProgress = null) =>
        RunAsync(Bridge, request, onProgress, TestContext.Current.CancellationToken);

    public static Task<ReconcileOutcome> RunAsync(
        BridgeHost bridge, ReconcileRequest request, Action<ReconcileProgress>? onProgress, CancellationToken cancellationToken) =>
        bridge.Services.GetRequiredService<Reconciler>().RunAsync(request, new Progress(onProgress), cancellationToken);

    public Task<string[]> AccountsAsync() => ReadAsync("select user_id from user_credits order by user_id");

    /// <summary>Ids of the people that Keycloak has, in the order of its list.</summary>
    public async Task<string[]> PeopleAsync()
    {
        var people = await Keycloak.ListAsync($"{EmulatorDriver.Users}?briefRepresentation=true&max=100000", await Keycloak.AdminAsync());
        return [.. people.Select(person => (string)person!["id"]!)];
    }

    public async Task AssertEverybodyHasAnAccountAsync() =>
        Assert.Equal((await PeopleAsync()).Order(StringComparer.Ordinal), await AccountsAsync());

    public async Task<string> StatusOfLatestRunAsync() => (await ReadAsync("select status from reconcile_runs order by id desc limit 1"))[0];

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
