using KeycloakCreditBridge.Tests.Periods;
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
            await Task.WhenAll(
                Enumerable.Range(0, 6).Select(number => Task.Run(() => scene.ReadAsync(User($"{round}-{number % 3}", email)))));
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
    public async Task An_unverified_address_opens_an_account_with_nothing_and_claims_nothing()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(Unverified("squatter"), Unverified("made-up", "made-up@example.com"));
        Assert.Empty(await scene.Database.QueryAsync<string>("select account_id from granted_emails"));

        await scene.ReadAsync(User("ana", "ana@example.com"));

        Assert.Equal(
            ["ana signup 5.00 initial_allocation", "made-up signup 0.00 address_not_verified", "squatter signup 0.00 address_not_verified"],
            await scene.LedgerAsync());
        Assert.Equal(
            ["ana active 5.00 of ana", "made-up active 0.00 of made-up", "squatter active 0.00 of squatter"], await scene.AccountsAsync());
        await scene.ReadAsync(User("squatter", "ana@example.com"));
        Assert.Equal(
            ["squatter signup 0.00 address_not_verified", "squatter welcome 0.00 address_granted_before"],
                (await scene.LedgerAsync()).TakeLast(2));
    }

    [Fact]
    public async Task The_grant_follows_once_when_the_address_is_verified()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(Unverified("ana"));
        await scene.ReadAsync(Unverified("ana"));
        Assert.Empty(await scene.DifferencesAsync(Unverified("ana")));
        Assert.Equal(["ana"], await scene.DifferencesAsync(User("ana", "ana@example.com")));

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => scene.ReadAsync(User("ana", "ana@example.com")))));

        Assert.Empty(await scene.DifferencesAsync(User("ana", "ana@example.com")));
        await scene.ReadAsync(Unverified("ana", "new@example.com"));
        await scene.ReadAsync(User("ana", "new@example.com"));
        Assert.Equal(["ana signup 0.00 address_not_verified", "ana welcome 5.00 initial_allocation"], await scene.LedgerAsync());
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
        Assert.Equal(["credit.create", "credit.welcome"], await scene.AuditAsync("ana"));
        Assert.Equal(5m, await scene.Database.ScalarAsync<decimal>("select credits_allocated from user_credits"));
        await scene.ReadAsync(User("ben", "ana@example.com"));
        Assert.Contains("ben signup 0.00 address_granted_before", await scene.LedgerAsync());
    }

    [Fact]
    public async Task Users_that_verify_one_address_at_once_share_its_grant()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        string[] ids = [.. Enumerable.Range(0, 12).Select(number => $"user-{number:d2}")];
        await scene.ReadAsync([.. ids.Select(id => Unverified(id))]);
        await Task.WhenAll(
            ids.Select(
                (id, number) =>
                    Task.Run(() => scene.ReadAsync(User(id, "ana@example.com"), User(ids[(number + 5) % 12], "ana@example.com")))));
        Assert.Equal(5m, await scene.Database.ScalarAsync<decimal>("select sum(amount) from credit_transactions"));
        Assert.Equal(
            12, await scene.Database.ScalarAsync<int>("select count(*)::int from credit_transactions where grant_key = 'welcome'"));
        Assert.Equal(5m, await scene.Database.ScalarAsync<decimal>("select sum(credits_remaining) from user_credits"));
    }

    [Fact]
    public async Task A_held_account_keeps_its_grant_and_a_closed_one_gets_none()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(Unverified("ana"), Unverified("ben", "ben@example.com"));
        await scene.ReadAsync(User("ana", "ana@example.com", enabled: false));
        await scene.DeleteAsync("ben");
        Assert.Equal(["ana held disabled 5.00 of ana", "ben closed deleted 0.00 of ben"], await scene.AccountsAsync());
        await scene.ReadAsync(User("ben", "ben@example.com"));
        Assert.Equal(["ana held disabled 5.00 of ana", "ben active 5.00 of ben"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task An_account_that_waits_for_its_grant_and_loses_its_row_still_gets_the_grant_once()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(Unverified("ana"));
        await scene.Database.ExecuteAsync("delete from user_credits");
        await scene.ReadAsync(Unverified("ana"));
        await scene.ReadAsync(User("ana", "ana@example.com"));
        await scene.Database.ExecuteAsync("delete from user_credits");
        await scene.ReadAsync(User("ana", "ana@example.com"));
        await scene.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 5.00 of ana"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task A_tier_switch_pays_nothing_before_the_grant()
    {
        var options = OncePerEmail();
        (options.ProRate, options.TierFrom.Attribute) = (true, "plan");
        await using var scene = await StartAsync(postgres, options);
        await scene.ReadAsync(Planned(Unverified("ana"), "trial"));
        await scene.ReadAsync(Planned(Unverified("ana"), "professional"));
        Assert.Equal(["ana active 0.00 of ana"], await scene.AccountsAsync());
        await scene.ReadAsync(Planned(User("ana", "ana@example.com"), "professional"));
        Assert.Equal(["ana active 60.00 of ana"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task A_period_reset_pays_nothing_before_the_grant_and_the_first_period_begins_with_it()
    {
        var options = OncePerEmail();
        options.Period = TimeSpan.FromDays(1);
        await using var scene = await StartAsync(postgres, options);
        await scene.ReadAsync(Unverified("ana"), User("ben", "ben@example.com"));
        var periods = new PeriodFixture(scene.Database, provisioning: options);

        Assert.Equal(1, (await periods.RunAsync()).Renewed);
        Assert.Equal(["ana active 0.00 of ana", "ben active 5.00 of ben"], await scene.AccountsAsync());

        await scene.ConvergeAsync(scene.Evaluate(User("ana", "ana@example.com"), periods.Clock.GetUtcNow()));
        Assert.Equal(0, (await periods.RunAsync()).Renewed);
        Assert.Equal(["ana active 5.00 of ana", "ben active 5.00 of ben"], await scene.AccountsAsync());
    }

    [Fact]
    public async Task A_user_that_inherits_an_account_without_its_grant_gets_the_grant_with_it()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail("{email}"));
        await scene.ReadAsync(Unverified("first"));
        await scene.DeleteAsync("first");
        await scene.ReadAsync(User("second", "ana@example.com"));
        Assert.Equal(["ana@example.com active 5.00 of second"], await scene.AccountsAsync());
        Assert.Equal(
            ["ana@example.com signup 0.00 address_not_verified", "ana@example.com welcome 5.00 initial_allocation"],
                await scene.LedgerAsync());
    }

    [Fact]
    public async Task A_listing_that_shows_the_verified_address_of_a_waiting_account_is_a_change()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(Unverified("ana"));
        Assert.Equal(["ana"], await scene.UnchangedAsync(Unverified("ana")));
        Assert.Empty(await scene.UnchangedAsync(User("ana", "ana@example.com")));
        await scene.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana"], await scene.UnchangedAsync(User("ana", "ana@example.com")));
    }

    [Fact]
    public async Task No_address_stands_in_any_table()
    {
        await using var scene = await StartAsync(postgres, OncePerEmail());
        await scene.ReadAsync(User("ana", "ana@example.com"), User("ben", "ana@example.com"));
        await scene.DeleteAsync("ana");
        foreach (
            var table in new[] { "user_credits", "credit_transactions", "audit_logs", "keycloak_users", "granted_emails", "user_hints" })
            Assert.False(
                await scene.Database.ScalarAsync<bool>(
                    $"select exists (select from {table} t where t::text ilike '%example.com%')"), table);
    }
}
