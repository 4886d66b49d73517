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
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(User("first", "ana@example.com"));
        await fixture.DeleteAsync("first");
        await fixture.ReadAsync(User("second", " ANA@example.com "));

        Assert.Equal(["first closed deleted 5.00 of first", "second active 0.00 of second"], await fixture.AccountsAsync());
        Assert.Equal(
            ["first 5.00 initial_allocation", "second 0.00 address_granted_before"], await fixture.Database.QueryAsync<string>(LedgerSql));
    }

    [Fact]
    public async Task Users_of_one_batch_and_of_several_realms_share_the_grant_of_their_address()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(User("a", "ana@example.com"), User("b", "ana@example.com"), User("c", "ana@example.com", realm: "other"));
        Assert.Equal(1, await fixture.GrantsAsync());
        Assert.Equal(3, (await fixture.AccountsAsync()).Count);
    }

    [Fact]
    public async Task Bridges_that_read_many_users_with_one_address_at_once_grant_once()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        for (var round = 0; round < 20; round++)
        {
            var email = $"ana{round}@example.com";
            await Task.WhenAll(
                Enumerable.Range(0, 6).Select(number => Task.Run(() => fixture.ReadAsync(User($"{round}-{number % 3}", email)))));
        }

        Assert.Equal((20, 60), (await fixture.GrantsAsync(), (await fixture.AccountsAsync()).Count));
    }

    [Fact]
    public async Task The_same_user_again_and_an_account_whose_row_was_removed_lose_nothing()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.Database.ExecuteAsync("delete from user_credits");
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Accounts_from_before_have_their_address_remembered_once()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('ana', 3)");
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.ReadAsync(User("ana", "other@example.com"));
        Assert.Equal(["ana"], await fixture.Database.QueryAsync<string>("select account_id from granted_emails"));
        await fixture.ReadAsync(User("ben", "ana@example.com"));
        Assert.Equal(0, await fixture.GrantsAsync());
    }

    [Fact]
    public async Task A_user_without_an_address_is_excluded()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(User("ana"));
        Assert.Equal(["ana excluded no_email"], await fixture.KnownAsync());
    }

    [Fact]
    public async Task A_user_that_loses_the_account_id_to_another_of_the_batch_keeps_the_grant_of_its_address()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail("{username}"));
        var twin = User("b", "ben@example.com") with { Username = "a" };
        await fixture.ReadAsync(User("a", "ana@example.com"), twin);
        Assert.Equal(["a account a", "b excluded account_id_taken"], await fixture.KnownAsync());
        await fixture.ReadAsync(twin with { Username = "b" });
        Assert.Equal(["a active 5.00 of a", "b active 5.00 of b"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_unverified_address_opens_an_account_with_nothing_and_claims_nothing()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(Unverified("squatter"), Unverified("made-up", "made-up@example.com"));
        Assert.Empty(await fixture.Database.QueryAsync<string>("select account_id from granted_emails"));

        await fixture.ReadAsync(User("ana", "ana@example.com"));

        Assert.Equal(
            ["ana signup 5.00 initial_allocation", "made-up signup 0.00 address_not_verified", "squatter signup 0.00 address_not_verified"],
            await fixture.LedgerAsync());
        Assert.Equal(
            ["ana active 5.00 of ana", "made-up active 0.00 of made-up", "squatter active 0.00 of squatter"],
                await fixture.AccountsAsync());
        await fixture.ReadAsync(User("squatter", "ana@example.com"));
        Assert.Equal(
            ["squatter signup 0.00 address_not_verified", "squatter welcome 0.00 address_granted_before"],
                (await fixture.LedgerAsync()).TakeLast(2));
    }

    [Fact]
    public async Task The_grant_follows_once_when_the_address_is_verified()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.ReadAsync(Unverified("ana"));
        Assert.Empty(await fixture.DifferencesAsync(Unverified("ana")));
        Assert.Equal(["ana"], await fixture.DifferencesAsync(User("ana", "ana@example.com")));

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => fixture.ReadAsync(User("ana", "ana@example.com")))));

        Assert.Empty(await fixture.DifferencesAsync(User("ana", "ana@example.com")));
        await fixture.ReadAsync(Unverified("ana", "new@example.com"));
        await fixture.ReadAsync(User("ana", "new@example.com"));
        Assert.Equal(["ana signup 0.00 address_not_verified", "ana welcome 5.00 initial_allocation"], await fixture.LedgerAsync());
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["credit.create", "credit.welcome"], await fixture.AuditAsync("ana"));
        Assert.Equal(5m, await fixture.Database.ScalarAsync<decimal>("select credits_allocated from user_credits"));
        await fixture.ReadAsync(User("ben", "ana@example.com"));
        Assert.Contains("ben signup 0.00 address_granted_before", await fixture.LedgerAsync());
    }

    [Fact]
    public async Task Users_that_verify_one_address_at_once_share_its_grant()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        string[] ids = [.. Enumerable.Range(0, 12).Select(number => $"user-{number:d2}")];
        await fixture.ReadAsync([.. ids.Select(id => Unverified(id))]);
        await Task.WhenAll(
            ids.Select(
                (id, number) =>
                    Task.Run(() => fixture.ReadAsync(User(id, "ana@example.com"), User(ids[(number + 5) % 12], "ana@example.com")))));
        Assert.Equal(5m, await fixture.Database.ScalarAsync<decimal>("select sum(amount) from credit_transactions"));
        Assert.Equal(
            12, await fixture.Database.ScalarAsync<int>("select count(*)::int from credit_transactions where grant_key = 'welcome'"));
        Assert.Equal(5m, await fixture.Database.ScalarAsync<decimal>("select sum(credits_remaining) from user_credits"));
    }

    [Fact]
    public async Task A_held_account_keeps_its_grant_and_a_closed_one_gets_none()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(Unverified("ana"), Unverified("ben", "ben@example.com"));
        await fixture.ReadAsync(User("ana", "ana@example.com", enabled: false));
        await fixture.DeleteAsync("ben");
        Assert.Equal(["ana held disabled 5.00 of ana", "ben closed deleted 0.00 of ben"], await fixture.AccountsAsync());
        await fixture.ReadAsync(User("ben", "ben@example.com"));
        Assert.Equal(["ana held disabled 5.00 of ana", "ben active 5.00 of ben"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_account_that_waits_for_its_grant_and_loses_its_row_still_gets_the_grant_once()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.Database.ExecuteAsync("delete from user_credits");
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.Database.ExecuteAsync("delete from user_credits");
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_tier_switch_pays_nothing_before_the_grant()
    {
        var options = OncePerEmail();
        (options.ProRate, options.TierFrom.Attribute) = (true, "plan");
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Planned(Unverified("ana"), "trial"));
        await fixture.ReadAsync(Planned(Unverified("ana"), "professional"));
        Assert.Equal(["ana active 0.00 of ana"], await fixture.AccountsAsync());
        await fixture.ReadAsync(Planned(User("ana", "ana@example.com"), "professional"));
        Assert.Equal(["ana active 60.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_period_reset_pays_nothing_before_the_grant_and_the_first_period_begins_with_it()
    {
        var options = OncePerEmail();
        options.Period = TimeSpan.FromDays(1);
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Unverified("ana"), User("ben", "ben@example.com"));
        var periods = new PeriodFixture(fixture.Database, provisioning: options);

        Assert.Equal(1, (await periods.RunAsync()).Renewed);
        Assert.Equal(["ana active 0.00 of ana", "ben active 5.00 of ben"], await fixture.AccountsAsync());

        await fixture.ConvergeAsync(fixture.Evaluate(User("ana", "ana@example.com"), periods.Clock.GetUtcNow()));
        Assert.Equal(0, (await periods.RunAsync()).Renewed);
        Assert.Equal(["ana active 5.00 of ana", "ben active 5.00 of ben"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_user_that_inherits_an_account_without_its_grant_gets_the_grant_with_it()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail("{email}"));
        await fixture.ReadAsync(Unverified("first"));
        await fixture.DeleteAsync("first");
        await fixture.ReadAsync(User("second", "ana@example.com"));
        Assert.Equal(["ana@example.com active 5.00 of second"], await fixture.AccountsAsync());
        Assert.Equal(
            ["ana@example.com signup 0.00 address_not_verified", "ana@example.com welcome 5.00 initial_allocation"],
                await fixture.LedgerAsync());
    }

    [Fact]
    public async Task A_listing_that_shows_the_verified_address_of_a_waiting_account_is_a_change()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(Unverified("ana"));
        Assert.Equal(["ana"], await fixture.UnchangedAsync(Unverified("ana")));
        Assert.Empty(await fixture.UnchangedAsync(User("ana", "ana@example.com")));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana"], await fixture.UnchangedAsync(User("ana", "ana@example.com")));
    }

    [Fact]
    public async Task No_address_stands_in_any_table()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(User("ana", "ana@example.com"), User("ben", "ana@example.com"));
        await fixture.DeleteAsync("ana");
        foreach (
            var table in new[] { "user_credits", "credit_transactions", "audit_logs", "keycloak_users", "granted_emails", "user_hints" })
            Assert.False(
                await fixture.Database.ScalarAsync<bool>(
                    $"select exists (select from {table} t where t::text ilike '%example.com%')"), table);
    }
}
