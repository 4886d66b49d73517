using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

public sealed class ForfeitTests(PostgresFixture postgres)
{
    private const string ForfeitedSql =
        """
        select concat_ws(' ', transaction_type, amount::numeric(9, 2), balance_after::numeric(9, 2), metadata ->> 'reason')
        from credit_transactions where metadata ->> 'reason' = 'account_closed' order by created_at
        """;

    private static ProvisioningOptions Forfeit => new() { DeletedUsers = DeletedUsers.Forfeit };

    [Fact]
    public async Task The_remaining_balance_is_forfeited_in_the_transaction_that_closes_and_does_not_return()
    {
        await using var fixture = await StartAsync(postgres, Forfeit);
        await fixture.ReadAsync(User("ana"));
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, transaction_type) values ('ana', -1.5, 'usage');
            update user_credits set credits_remaining = 3.5;
            """);

        await fixture.DeleteAsync("ana");
        await fixture.DeleteAsync("ana");
        Assert.Equal(["ana closed deleted 0.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["adjustment -3.50 0.00 account_closed"], await fixture.Database.QueryAsync<string>(ForfeitedSql));
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>(
            """
            select count(distinct xmin)::int from (select xmin::text from user_credits union select xmin::text from credit_transactions
                where amount = -3.5
                union select xmin::text from audit_logs where action = 'credit.close') rows
            """));

        await fixture.ReadAsync(User("ana"));
        await fixture.DeleteAsync("ana");
        await fixture.ReadAsync(User("ana"));
        Assert.Equal(["ana active 0.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(
            ["adjustment -3.50 0.00 account_closed", "adjustment 0.00 0.00 account_closed"],
            await fixture.Database.QueryAsync<string>(ForfeitedSql));
        Assert.Equal(["credit.create", "credit.close", "credit.reopen", "credit.close", "credit.reopen"], await fixture.AuditAsync("ana"));
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(0)]
    public async Task An_account_with_nothing_left_is_closed_with_a_row_of_nothing(decimal used)
    {
        await using var fixture = await StartAsync(postgres, Forfeit);
        await fixture.ReadAsync(User("ana"));
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, transaction_type) values ('ana', @Used - 5, 'usage');
            update user_credits set credits_remaining = @Used;
            """, new { Used = used });
        await fixture.DeleteAsync("ana");
        Assert.Equal(
            FormattableString.Invariant($"adjustment 0.00 {used:0.00} account_closed"),
            (await fixture.Database.QueryAsync<string>(ForfeitedSql)).Single());
    }

    [Fact]
    public async Task Keep_is_the_default_and_a_realm_s_own_setting_counts()
    {
        await using var fixture = await StartAsync(
            postgres, new ProvisioningOptions { Realms = { ["strict"] = new RealmRuleOptions { DeletedUsers = DeletedUsers.Forfeit } } });
        await fixture.ReadAsync(User("ana"), User("ben", realm: "strict"));
        await fixture.ConvergeAsync(fixture.EvaluateDeleted("ana"), fixture.EvaluateDeleted("ben", "strict"));
        Assert.Equal(["ana closed deleted 5.00 of ana", "ben closed deleted 0.00 of ben"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Two_bridges_that_close_at_once_while_credits_are_used_forfeit_once_and_exactly()
    {
        await using var fixture = await StartAsync(postgres, Forfeit);
        for (var round = 0; round < 25; round++)
        {
            var id = $"user-{round}";
            await fixture.ReadAsync(User(id));
            var use = fixture.Database.ExecuteAsync(
                """
                with used as (update user_credits set credits_remaining = credits_remaining - 1 where user_id = @Id
                    and credits_remaining > 0 returning user_id)
                insert into credit_transactions (user_id, amount, transaction_type) select user_id, -1, 'usage' from used
                """, new { Id = id });
            await Task.WhenAll([use, .. Enumerable.Range(0, 4).Select(_ => Task.Run(() => fixture.DeleteAsync(id)))]);
        }

        Assert.Equal(
            25, await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from user_credits where status = 'closed' and credits_remaining = 0"));
        Assert.Equal(25, (await fixture.Database.QueryAsync<string>(ForfeitedSql)).Count);
    }
}
