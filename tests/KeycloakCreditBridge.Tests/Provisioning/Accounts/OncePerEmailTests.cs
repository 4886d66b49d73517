using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

public sealed class OncePerEmailTests(PostgresFixture postgres)
{
    private const string LedgerSql =
        "select concat_ws(' ', user_id, amount::numeric(9, 2), metadata ->> 'reason') from credit_transactions order by user_id";

    [Fact]
    public async Task Deleting_and_registering_again_with_the_address_grants_once_in_total()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(User("first", "ana@example.com"));
        await scene.DeleteAsync("first");
        await scene.ReadAsync(User("second", " ANA@example.com "));

        Assert.Equal(["first closed deleted 5.00 of first", "second active 0.00 of second"], await scene.AccountsAsync());
        Assert.Equal(
            ["first 5.00 initial_allocation", "second 0.00 address_granted_before"], await scene.Database.QueryAsync<string>(LedgerSql));
    }

    [Fact]
    public async Task Users_of_one_batch_and_of_several_realms_share_the_grant_of_their_address()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(User("a", "ana@example.com"), User("b", "ana@example.com"), User("c", "ana@example.com", realm: "other"));
        Assert.Equal(1, await scene.GrantsAsync());
        Assert.Equal(3, (await scene.AccountsAsync()).Count);
    }

    [Fact]
    public async Task Bridges_that_read_many_users_with_one_address_at_once_grant_once()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        for (var round = 0; round < 20; round++)
        {
            var email = $"ana{round}@example.com";
            await Task.WhenAll(Enumerable.Range(0, 6).Select(number => Task.Run(() => scene.ReadAsync(User($"{round}-{number % 3}", email)))));
        }

        Assert.Equal((20, 60), (await scene.GrantsAsync(), (await scene.AccountsAsync()).Count));
    }

    [Fact]
    public async Task The_same_user_again_and_an_account_whose_row_was_removed_lose_nothing()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(User("ana", "ana@example.com"));
        await scene.ReadAsync(User("ana", "ana@example.com"));
        await scene.Database.ExecuteAsync("delete from user_credits");
        await scene.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task Accounts_from_before_have_their_address_remembered_once()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('ana', 3)");
        await scene.ReadAsync(User("ana", "ana@example.com"));
        await scene.ReadAsync(User("ana", "ana@example.com"));
        await scene.ReadAsync(User("ana", "other@example.com"));
        Assert.Equal(["ana"], await scene.Database.QueryAsync<string>("select account_id from granted_emails"));
        await scene.ReadAsync(User("ben", "ana@example.com"));
        Assert.Equal(0, await scene.GrantsAsync());
    }

    [Fact]
    public async Task A_user_without_an_address_is_excluded()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(User("ana"));
        Assert.Equal(["ana excluded no_email"], await scene.KnownAsync());
    }

    [Fact]
    public async Task A_user_that_loses_the_account_id_to_another_of_the_batch_keeps_the_grant_of_its_address()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail("{username}"));
        var twin = User("b", "ben@example.com") with { Username = "a" };
        await scene.ReadAsync(User("a", "ana@example.com"), twin);
        Assert.Equal(["a account a", "b excluded account_id_taken"], await scene.KnownAsync());
        await scene.ReadAsync(twin with { Username = "b" });
        Assert.Equal(["a active 5.00 of a", "b active 5.00 of b"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task No_address_stands_in_any_table()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(User("ana", "ana@example.com"), User("ben", "ana@example.com"));
        await scene.DeleteAsync("ana");
        foreach (var table in new[] { "user_credits", "credit_transactions", "audit_logs", "keycloak_users", "granted_emails", "user_hints" })
            Assert.False(await scene.Database.ScalarAsync<bool>($"select exists (select from {table} t where t::text ilike '%example.com%')"), table);
    }
}
