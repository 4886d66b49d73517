using System.Net;
using System.Net.Sockets;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Subjects;

/// <summary>Keycloak's tables are a short cut: where they are away or must not be used, Keycloak is asked.</summary>
public sealed class DatabaseSubjectReaderTests(PostgresFixture postgres)
{
    private static readonly ClaimedHint Hint =
        new(EmulatorFixture.Realm, "ana", 1, HintSources.Webhook, "REGISTER", HintKind.Changed, DateTimeOffset.UnixEpoch, 1);

    private readonly ManualTimeProvider _clock = new(new DateTimeOffset(2026, 12, 1, 12, 0, 0, TimeSpan.Zero));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_unreachable_Keycloak_database_is_not_asked_for_a_minute()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var calls = 0;
        var answering = AnswerAsync();
        await using var database = Database($"Host=127.0.0.1;Port={((IPEndPoint)listener.LocalEndpoint).Port};Username=x;Database=x");
        var stored = Stored(database);

        await stored.ReadAsync(Policy, [Hint], Token);
        var first = calls;
        await stored.ReadAsync(Policy, [Hint], Token);
        Assert.Equal(first, calls);
        _clock.Advance(TimeSpan.FromMinutes(1));
        await stored.ReadAsync(Policy, [Hint], Token);

        Assert.InRange(first, 1, calls - 1);
        listener.Stop();
        await answering;

        async Task AnswerAsync()
        {
            try
            {
                while (true)
                {
                    using var caller = await listener.AcceptTcpClientAsync(Token);
                    calls++;
                }
            }
            catch (Exception stopped) when (stopped is SocketException or InvalidOperationException)
            {
                // The listener stops while it waits, or between two callers.
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_role_that_may_write_to_Keycloaks_tables_does_not_read_users_from_them(bool mayWrite)
    {
        await using var tables = await KeycloakTables.CreateAsync(postgres);
        if (mayWrite)
            await tables.GrantAsync("insert", "user_entity");
        await using var database = Database(tables.ConnectionString);

        var batch = await Stored(database).ReadAsync(Policy, [Hint], Token);

        Assert.Equal(!mayWrite, batch.TryGet(Hint.Realm, Hint.KeycloakId, out _));
    }

    private static GrantPolicy Policy => new(Options.Create(new ProvisioningOptions()));

    private static KeycloakDatabase Database(string connectionString) =>
        new(Options.Create(new KeycloakOptions { Database = new KeycloakDatabaseOptions { ConnectionString = connectionString } }));

    private DatabaseSubjectReader Stored(KeycloakDatabase database) => new(
        database, new KeycloakDatabaseStore(database), _clock, NullLogger<DatabaseSubjectReader>.Instance);
}
