using Dapper;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>The database does one user not in time, or not at all: the others have their accounts.</summary>
public sealed class BatchIsolationTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_locked_account_delays_no_other_user()
    {
        await using var fixture = await AccountFixture.StartAsync(postgres);
        await fixture.ReadAsync(AccountFixture.User("ana"));
        await using var other = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using (var transaction = await other.BeginTransactionAsync(Token))
        {
            await other.ExecuteAsync("select from user_credits for update");

            var result = await ConvergeAsync(
                fixture, AccountFixture.User("ana", enabled: false), AccountFixture.User("bert"), AccountFixture.User("carl"));

            Assert.Equal(2, result.Opened);
            Assert.Equal("ana", Assert.Single(result.Refusals).DesiredState.KeycloakId);
        }

        Assert.Empty((await ConvergeAsync(fixture, AccountFixture.User("ana", enabled: false))).Refusals);
        Assert.Equal(
            ["ana held disabled 5.00 of ana", "bert active 5.00 of bert", "carl active 5.00 of carl"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_user_that_a_database_policy_refuses_delays_no_other_user()
    {
        await using var fixture = await AccountFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(
            """
            create function keep_out() returns trigger language plpgsql as
                $$ begin if new.user_id = 'ana' then raise insufficient_privilege; end if; return new; end $$;
            create trigger keep_out before insert on user_credits for each row execute function keep_out();
            """);

        var result = await ConvergeAsync(fixture, AccountFixture.User("ana"), AccountFixture.User("bert"));

        Assert.Equal("ana", Assert.Single(result.Refusals).DesiredState.KeycloakId);
        Assert.Equal(["bert active 5.00 of bert"], await fixture.AccountsAsync());
    }

    [Theory]
    [InlineData(2)]
    [InlineData(20)]
    public async Task A_database_too_slow_for_every_user_fails_the_batch_and_blames_no_user(int users)
    {
        await using var fixture = await AccountFixture.StartAsync(postgres);
        await using var other = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await other.BeginTransactionAsync(Token);
        await other.ExecuteAsync("lock table user_credits in share row exclusive mode");

        await Assert.ThrowsAnyAsync<NpgsqlException>(
            () => ConvergeAsync(fixture, [.. Enumerable.Range(0, users).Select(number => AccountFixture.User($"user-{number}"))]));
    }

    [Fact]
    public async Task Renaming_an_account_with_a_long_ledger_has_a_longer_timeout()
    {
        await using var fixture = await AccountFixture.StartAsync(postgres, new ProvisioningOptions { AccountId = "{email}" });
        await fixture.ReadAsync(AccountFixture.User("ana", "ana@example.com"));
        await fixture.Database.ExecuteAsync(
            """
            create function take_long() returns trigger language plpgsql as $$ begin perform pg_sleep(1.5); return new; end $$;
            create trigger take_long before update on credit_transactions for each row execute function take_long();
            """);

        Assert.Empty((await ConvergeAsync(fixture, AccountFixture.User("ana", "new@example.com"))).Refusals);

        Assert.Equal(["new@example.com active 5.00 of ana"], await fixture.AccountsAsync());
    }

    // As the bridge does, but with a second for each statement.
    private static async Task<ConvergeResult> ConvergeAsync(AccountFixture fixture, params Subject[] users)
    {
        await using var impatient = NpgsqlDataSource.Create($"{fixture.Database.ConnectionString};Command Timeout=1");
        return await new Provisioner(
            new AccountStore(impatient), new RenameStore(impatient), AccountFixture.NewMetrics(),
                TimeProvider.System,
            NullLogger<Provisioner>.Instance).ConvergeAsync(users.Select(user => fixture.Evaluate(user)), Token);
    }
}
