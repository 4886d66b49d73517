using Dapper;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>Where addresses are account ids, new users in several batches at once can deadlock.</summary>
public sealed class DeadlockTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_batch_that_PostgreSQL_undoes_for_a_deadlock_is_converged_all_the_same()
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { AccountId = "{email}" });
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        // A session checks for a deadlock once, which has to be after the other one waits too; the other one does not check.
        await fixture.Database.ExecuteAsync($"alter database {fixture.Database.Name} set deadlock_timeout = '8s'");
        fixture.Database.DataSource.Clear();
        await using var other = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        Task<ConvergeResult> converging;
        await using (var transaction = await other.BeginTransactionAsync(Token))
        {
            await other.ExecuteAsync("set local deadlock_timeout = '1h'");
            await other.ExecuteAsync("select 1 from user_credits where user_id = 'ana@example.com' for update");
            converging = fixture.ReadAsync(User("ana", "ana@example.com", enabled: false), User("bert", "bert@example.com"));
            await Eventually.TrueAsync(
                () => fixture.Database.WaitsAsync("with desired as"), "the batch has the user and waits for the account");
            await other.ExecuteAsync("select 1 from keycloak_users where keycloak_id = 'ana' for update");
        }

        Assert.Empty((await converging).Refusals);
        Assert.Equal(["ana@example.com held disabled 5.00 of ana", "bert@example.com active 5.00 of bert"], await fixture.AccountsAsync());
        Assert.Equal(2, await fixture.GrantsAsync());
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select deadlocks = 1 from pg_stat_database where datname = current_database()"),
                "it was a deadlock");
    }
}
