using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Doctor.Records;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Doctor;

public sealed class TaskChecksTests(PostgresFixture postgres)
{
    private const string PaidSql =
        """
        insert into user_credits (user_id, realm, keycloak_id, tier, credits_remaining, credits_allocated, created_at, updated_at)
        select 'u' || n, 'demo', 'u' || n, 'trial', 0, 0, now(), now() from generate_series(1, 200) n;
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at, grant_key)
        select 'u' || n, 0, 0, 'purchase', now(), 'task:mfa' from generate_series(1, @Paid) n;
        insert into grant_policies (realm, policy, activated_at) values ('demo', 'task:mfa', now()), ('demo', 'welcome', now())
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("two-factor", 3, "3 of 200 accounts were paid for task:mfa, which is not configured")]
    [InlineData("two-factor", 2, null)]
    [InlineData("mfa", 200, null)]
    public async Task A_task_that_more_than_a_hundredth_was_paid_for_and_that_is_missing_is_found(string configured, int paid, string? says)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(PaidSql, new { Paid = paid });
        var options = new GrantsOptions { Tasks = { [configured] = new TaskOptions { Credits = 1m } } };
        var check = Assert.Single(new TaskChecks(new PolicyStore(database.DataSource), Options.Create(options)).Of(["demo"]));

        var finding = await check.Run(Token);

        Assert.Equal(says is null ? Verdict.Ok : Verdict.Warn, finding.Verdict);
        Assert.Equal(says ?? "no task that many were paid for is missing", finding.Message);
    }

    [Fact]
    public async Task A_realm_without_tasks_is_not_checked()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        Assert.Empty(new TaskChecks(new PolicyStore(database.DataSource), Options.Create(new GrantsOptions())).Of(["demo"]));
    }
}
