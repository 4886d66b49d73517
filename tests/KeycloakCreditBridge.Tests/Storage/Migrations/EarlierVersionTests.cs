using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using Microsoft.Extensions.Logging.Abstractions;

namespace KeycloakCreditBridge.Tests.Storage.Migrations;

/// <summary>A database that a program with the migrations up to 0015 wrote, as it was recorded.</summary>
[Trait(TestNeeds.Trait, TestNeeds.PostgreSql)]
public sealed class EarlierVersionTests
{
    private const int LastOfEarlier = 15;

    private const string LedgerSql =
        """
        select concat_ws(' ', user_id, credits_remaining, credits_allocated, tier, last_reset, status) from user_credits
        union all
        select concat_ws(' ', id, user_id, amount, balance_after, transaction_type, created_at, grant_key) from credit_transactions
        union all
        select concat_ws(' ', id, user_id, action) from audit_logs
        order by 1
        """;

    private static readonly string[] Users =
    [
        "7c855a6f-071e-4418-bbf8-819216a324f7", "e3e3442d-4309-4cf8-bb36-930559592d70", "c4e4e422-9982-4098-86f2-18eaa430438f",
        "2973d344-1df6-4fa5-9fef-b5dfdf45c911",
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Its_accounts_and_hints_go_on_and_nothing_is_granted_twice()
    {
        await using var scene = await FaultFixture.CreateAsync();
        await new Migrator(scene.Database.DataSource, TimeProvider.System, NullLogger<Migrator>.Instance)
        {
            Known = [.. Migration.Embedded.Where(migration => migration.Version <= LastOfEarlier)],
        }.MigrateAsync(Token);
        await scene.Database.ExecuteAsync(
            await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Fixtures", "schema-0015-data.sql"), Token));
        var before = await scene.Database.QueryAsync<string>(LedgerSql);
        var realm = scene.Keycloak.Realm(FaultFixture.Realm);
        for (var number = 0; number < Users.Length; number++)
            realm.AddUser(new EmulatedUser(Users[number], $"user-{number}"));
        // The earlier program stopped with these hints in its hands.
        await scene.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
            select 'demo', id, nextval('user_hints_version'), 'webhook', 'REGISTER', 'changed', now(), now() from unnest(@Users) as u (id)
            """,
            new { Users });

        await using var bridge = await BridgeProcess.StartAsync(scene.BridgeUrl, scene.HintsOnly);
        await Eventually.TrueAsync(
            async () => await scene.CountAsync("user_hints where state = 'waiting'") == 0, "the hints are processed");
        Assert.Equal(before, await scene.Database.QueryAsync<string>(LedgerSql));
        Assert.Equal(1, await scene.CountAsync("user_hints where state = 'dead'"));

        await scene.CreateUserAsync("new");
        await Eventually.TrueAsync(async () => await scene.AccountsAsync() == Users.Length + 1, "a new user gets an account");
        Assert.Equal(Users.Length + 1, await scene.CountAsync("credit_transactions where grant_key = 'signup'"));
        Assert.True(await bridge.TerminateAsync());
    }
}
