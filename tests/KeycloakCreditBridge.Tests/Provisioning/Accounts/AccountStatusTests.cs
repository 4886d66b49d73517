using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.Accounts.ProvisionerFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>The status of an account follows the user, unless an operator decided it.</summary>
public sealed class AccountStatusTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_disabled_user_is_held_and_an_enabled_one_released()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        Assert.Equal("held",
            Assert.Single((await Provisioner(database).ConvergeAsync([Evaluate("ana", enabled: false)], Token)).Changes).Status);
        Assert.Equal("active", Assert.Single((await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token)).Changes).Status);
        Assert.Equal(
            ["credit.create", "credit.hold", "credit.reopen"],
            await database.QueryAsync<string>("select action from audit_logs order by id"));
    }

    [Fact]
    public async Task A_deleted_user_leaves_a_closed_account_and_comes_back_without_a_second_grant()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        await Provisioner(database).ConvergeAsync([Deleted("ana")], Token);
        Assert.Equal("closed deleted", await database.ScalarAsync<string>("select status || ' ' || status_reason from user_credits"));
        Assert.Equal("deleted", await database.ScalarAsync<string>("select user_state from keycloak_users"));
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        Assert.Equal("active 5.000000", await database.ScalarAsync<string>("select status || ' ' || credits_remaining from user_credits"));
    }

    [Fact]
    public async Task A_deleted_user_that_was_never_on_record_leaves_no_row()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Deleted("phantom")], Token);
        Assert.Equal(0, await database.ScalarAsync<int>("select count(*)::int from keycloak_users"));
    }

    [Fact]
    public async Task An_older_reading_of_Keycloak_overwrites_nothing()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana", enabled: false)], Token);
        await Provisioner(database).ConvergeAsync([Evaluate("ana", readAt: Now.AddSeconds(-1))], Token);
        Assert.Equal("held", await database.ScalarAsync<string>("select status from user_credits"));
        Assert.Equal("held", await database.ScalarAsync<string>("select user_state from keycloak_users"));
    }

    [Fact]
    public async Task A_hold_by_an_operator_is_not_ended()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        await database.ExecuteAsync("update user_credits set status = 'held', status_reason = 'operator'");
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        Assert.Equal("held", await database.ScalarAsync<string>("select status from user_credits"));
    }

    [Theory]
    [InlineData("held", "disabled", 1)]
    [InlineData("held", "operator", 0)]
    [InlineData("active", null, 0)]
    public async Task An_account_whose_status_differs_from_its_record_is_reported_unless_an_operator_decided_it(
        string status, string? reason, int differences)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        await database.ExecuteAsync(
            "update user_credits set status = @Status, status_reason = @Reason", new { Status = status, Reason = reason });
        Assert.Equal(differences, (await new AccountReviewStore(database.DataSource).DifferencesAsync([Evaluate("ana")], Token)).Count);
    }
}
