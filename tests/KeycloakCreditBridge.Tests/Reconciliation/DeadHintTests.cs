using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>Hints that were given up, and the users whom they are of.</summary>
public sealed class DeadHintTests(PostgresServer postgres)
{
    [Fact]
    public async Task Who_has_no_creation_is_looked_at_although_a_hint_of_them_was_given_up()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 20);
        bundle.Realm.AddUser(new EmulatedUser("undated", "undated"));
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        await bundle.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, state)
            values (@Realm, 'undated', 1, 'webhook', 'UPDATE', 'changed', now(), now(), 'dead')
            """,
            new { EmulatorDriver.Realm });
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        bundle.Realm.ChangeUser("undated", user => user with { Enabled = false });

        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));

        Assert.Equal("held", await bundle.Database.ScalarAsync<string>("select status from user_credits where user_id = 'undated'"));
    }
}
