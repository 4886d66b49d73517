using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>Dead-lettered hints and their users.</summary>
public sealed class DeadLetteredHintTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_user_without_a_creation_time_is_read_although_its_hint_was_dead_lettered()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 20);
        fixture.Realm.AddUser(new EmulatedUser("no-date", "no-date"));
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        await fixture.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, state)
            values (@Realm, 'no-date', 1, 'webhook', 'UPDATE', 'changed', now(), now(), 'dead')
            """,
            new { EmulatorFixture.Realm });
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        fixture.Realm.ChangeUser("no-date", user => user with { Enabled = false });

        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));

        Assert.Equal("held", await fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = 'no-date'"));
    }
}
