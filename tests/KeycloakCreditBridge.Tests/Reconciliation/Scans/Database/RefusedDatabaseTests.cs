using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;

/// <summary>A database that may not be used fails the run, and no account changes.</summary>
public sealed class RefusedDatabaseTests(PostgresFixture postgres) : DatabaseTests(postgres)
{
    [Theory]
    [InlineData("insert", "user_entity", "user_entity (insert)")]
    [InlineData("update", "user_entity", "user_entity (update)")]
    [InlineData("delete", "user_entity", "user_entity (delete)")]
    [InlineData("truncate", "user_entity", "user_entity (truncate)")]
    [InlineData("update (email)", "user_entity", "user_entity (update)")]
    [InlineData("insert (secret)", "credential", "credential (insert)")]
    [InlineData("delete", "credential", "credential (delete)")]
    public async Task A_role_that_may_write_is_refused(string privilege, string table, string named)
    {
        await Tables.ExecuteAsync("create table credential (id varchar(36) primary key, secret text)");
        await Tables.GrantAsync(privilege, table);
        var outcome = await RunAsync(ReconcileMode.Auto);
        Assert.Equal(ReconcileStatus.Failed, outcome.Status);
        Assert.Contains(named, outcome.Reason, StringComparison.Ordinal);
        Assert.Empty(await Fixture.AccountsAsync());
        await Assert.ThrowsAsync<ConfigurationException>(Bridge.StartAsync);
    }

    [Fact]
    public async Task Tables_of_another_form_are_refused()
    {
        await Tables.ExecuteAsync("alter table user_entity rename column service_account_client_link to link");
        var outcome = await RunAsItIsAsync();
        Assert.Equal(ReconcileStatus.Failed, outcome.Status);
        Assert.Contains("user_entity.service_account_client_link", outcome.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_realm_that_the_database_does_not_have_fails_the_run_and_closes_no_account()
    {
        await RunAsync(ReconcileMode.Database);
        await Tables.ExecuteAsync("update realm set name = 'other'");
        var outcome = await RunAsItIsAsync();
        Assert.Equal((ReconcileStatus.Failed, 0L), (outcome.Status, outcome.Counts.Closed));
    }
}
