using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;

/// <summary>Tests of a realm that is read from Keycloak's own database.</summary>
public abstract class DatabaseTests(PostgresFixture postgres) : IAsyncLifetime
{
    private protected ReconciliationFixture Fixture { get; private set; } = null!;

    private protected KeycloakTables Tables { get; private set; } = null!;

    private protected BridgeFixture Bridge { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Fixture = await ReconciliationFixture.StartAsync(postgres, users: 120);
        Fixture.Realm.AddUser(
            new EmulatedUser("robot", "service-account-robot") { ServiceAccountClientId = "robot", CreatedTimestamp = 5 });
        Fixture.Realm.AddUser(new EmulatedUser("no-date", "no-date"));
        Tables = await KeycloakTables.CreateAsync(postgres);
        Bridge = BridgeFixture.Build(Fixture.Database, Fixture.Keycloak, Tables.Setting);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Bridge.DisposeAsync();
        await Tables.DisposeAsync();
        await Fixture.DisposeAsync();
    }

    private protected async Task<ReconcileOutcome> RunAsync(ReconcileMode mode)
    {
        await Tables.CopyAsync(Fixture.Keycloak);
        return await ReconciliationFixture.RunAsync(Bridge, ReconciliationFixture.By(mode), null, TestContext.Current.CancellationToken);
    }

    /// <summary>Reconciles with the tables as they are.</summary>
    private protected Task<ReconcileOutcome> RunAsItIsAsync() =>
        ReconciliationFixture.RunAsync(
            Bridge, ReconciliationFixture.By(ReconcileMode.Database), null, TestContext.Current.CancellationToken);
}
