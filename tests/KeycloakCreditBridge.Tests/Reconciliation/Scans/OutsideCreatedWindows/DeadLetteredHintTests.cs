using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>Hints that were given up, and the users whom they are of.</summary>
public sealed class DeadLetteredHintTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_user_without_a_creation_time_is_read_although_its_hint_was_dead_lettered()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 20);
        bundle.Realm.AddUser(new EmulatedUser("undated", "undated"));
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        await bundle.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, state)
            values (@Realm, 'undated', 1, 'webhook', 'UPDATE', 'changed', now(), now(), 'dead')
            """,
            new { EmulatorFixture.Realm });
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        bundle.Realm.ChangeUser("undated", user => user with { Enabled = false });

        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));

        Assert.Equal("held", await bundle.Database.ScalarAsync<string>("select status from user_credits where user_id = 'undated'"));
    }
}
