using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Claims;

/// <summary>What grants are given for once, for all accounts.</summary>
public sealed class ClaimTests(PostgresFixture postgres)
{
    private const string PaidSql =
        "select user_id || ' ' || amount::numeric(9, 2) from credit_transactions where amount > 0 order by user_id collate \"C\"";

    private static readonly string Old = new('k', 32);
    private static readonly string New = new('n', 32);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Addresses_of_one_inbox_share_one_grant_where_an_inbox_counts_once()
    {
        await using var fixture = await StartAsync(postgres, Once(OncePer.Inbox));
        await fixture.ReadAsync(User("ana", "a.na+1@gmail.com"), User("bob", "ana+2@googlemail.com"), User("cem", "ana@example.com"));
        await fixture.ReadAsync(User("dan", "ANA@gmail.com"), User("eva", "ana+1@example.com"));
        Assert.Equal(["ana 5.00", "cem 5.00", "eva 5.00"], await fixture.Database.QueryAsync<string>(PaidSql));
    }

    [Fact]
    public async Task An_address_that_was_granted_before_stays_so_when_inboxes_count_and_the_other_way_round()
    {
        await using var fixture = await StartAsync(postgres, Once(OncePer.Email));
        await fixture.ReadAsync(User("ana", "a.na@gmail.com"));
        await fixture.ReadAsync(Once(OncePer.Inbox), User("bob", "a.na@gmail.com"));
        await fixture.ReadAsync(Once(OncePer.Inbox), User("cem", "ana@gmail.com"));
        await fixture.ReadAsync(Once(OncePer.Inbox), User("dan", "dan@gmail.com"));
        await fixture.ReadAsync(User("eva", "dan@gmail.com"));
        Assert.Equal(["ana 5.00", "dan 5.00"], await fixture.Database.QueryAsync<string>(PaidSql));
    }

    [Theory]
    [InlineData(OncePer.Email)]
    [InlineData(OncePer.Inbox)]
    internal async Task What_was_granted_by_the_previous_key_stays_so_and_both_keys_are_written(OncePer once)
    {
        await using var fixture = await StartAsync(postgres, Once(once, Old));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.ReadAsync(Once(once, New, Old), User("bob", "ana@example.com"));
        await fixture.ReadAsync(Once(once, New, Old), User("cem", "cem@example.com"));
        await fixture.ReadAsync(Once(once, Old), User("dan", "cem@example.com"));
        await fixture.ReadAsync(Once(once, New), User("eva", "ana@example.com"));
        Assert.Equal(["ana 5.00", "cem 5.00"], await fixture.Database.QueryAsync<string>(PaidSql));
    }

    [Fact]
    public async Task Replicas_with_the_old_and_the_new_key_that_read_one_address_at_once_grant_once()
    {
        await using var fixture = await StartAsync(postgres, Once(OncePer.Email, Old));
        for (var round = 0; round < 20; round++)
        {
            var email = $"ana{round}@example.com";
            await Task.WhenAll(Enumerable.Range(0, 6).Select(number => Task.Run(() => fixture.ReadAsync(
                number % 2 == 0 ? Once(OncePer.Email, Old) : Once(OncePer.Inbox, New, Old), User($"{round}-{number}", email)))));
        }

        Assert.Equal((20, 120), (await fixture.GrantsAsync(), (await fixture.AccountsAsync()).Count));
        await fixture.Database.AssertLedgerAsync();
    }

    [Fact]
    public async Task A_welcome_that_waits_for_its_address_counts_the_inbox()
    {
        var gate = new GrantsOptions { Welcome = new WelcomeOptions { Credits = 5m, Requires = [Requirements.EmailVerified] } };
        await using var fixture = await StartAsync(postgres, gate, Once(OncePer.Inbox));
        await fixture.ReadAsync(Unverified("ana", "ana@gmail.com"), Unverified("bob", "a.na@gmail.com"));
        await fixture.ReadAsync(User("ana", "ana@gmail.com"));
        for (var readings = 0; readings < 2; readings++)
            await fixture.ReadAsync(User("bob", "a.na@gmail.com"), User("cem", "an.a@gmail.com"));
        Assert.Equal(["ana 5.00"], await fixture.Database.QueryAsync<string>(PaidSql));
        Assert.Equal(
            ["cem inbox ana"],
            await fixture.Database.QueryAsync<string>(
                """
                select concat_ws(' ', user_id, metadata ->> 'kind', metadata ->> 'taken_by')
                from audit_logs where action = 'credit.claim_taken'
                """));
    }

    [Fact]
    public async Task A_task_is_paid_once_for_an_inbox_and_apart_from_other_tasks()
    {
        var tasks = new GrantsOptions
        {
            Welcome = new WelcomeOptions { Credits = 1m },
            Tasks =
            {
                ["mail"] = new() { Evidence = new() { EmailVerified = true }, Credits = 2m, Once = OncePer.Inbox },
                ["mfa"] = new() { Evidence = new() { Credential = ["otp"] }, Credits = 4m, Once = OncePer.Email },
            },
        };
        await using var fixture = await StartAsync(postgres, tasks, Once(OncePer.User));
        await fixture.ReadAsync(Unverified("ana", "ana@gmail.com") with { Credentials = ["otp"] });
        await fixture.ReadAsync(User("ana", "ana@gmail.com") with { Credentials = ["otp"] });
        for (var readings = 0; readings < 2; readings++)
        {
            await fixture.ReadAsync(
                User("bob", "a.na@gmail.com") with { Credentials = ["otp"] }, User("cem", "ana@gmail.com") with { Credentials = ["otp"] });
        }

        Assert.Equal(
            ["ana active 7.00 of ana", "bob active 5.00 of bob", "cem active 1.00 of cem"], await fixture.AccountsAsync());
        await fixture.Database.AssertLedgerAsync();
    }

    [Fact]
    public async Task A_forgotten_address_can_earn_again_and_is_audited_without_it()
    {
        await using var fixture = await StartAsync(postgres, Once(OncePer.Inbox));
        await fixture.ReadAsync(User("ana", "a.na@gmail.com"));
        var keys = Once(OncePer.Inbox).SignupGrant.ToKeys();
        var store = new ClaimStore(fixture.Database.DataSource);
        Assert.Equal("ana", await store.HolderAsync(new(keys.Of(OncePer.Inbox, "ana@gmail.com")!, "welcome"), Token));
        Assert.Equal(
            [new("email", "welcome"), new("inbox", "welcome")],
            await store.ForgetAsync(keys.AllOf("A.na@gmail.com"), "admin", DateTimeOffset.UtcNow, Token));
        Assert.Empty(await store.ForgetAsync(keys.AllOf("a.na@gmail.com"), "admin", DateTimeOffset.UtcNow, Token));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from granted_emails"));
        Assert.Equal(
            ["admin", "admin"],
            await fixture.Database.QueryAsync<string>("select metadata ->> 'by' from audit_logs where action = 'claims.forget'"));
        Assert.False(await fixture.Database.ScalarAsync<bool>("select exists (select from audit_logs t where t::text ilike '%gmail%')"));
        await fixture.ReadAsync(User("bob", "a.na@gmail.com"));
        Assert.Equal(["ana 5.00", "bob 5.00"], await fixture.Database.QueryAsync<string>(PaidSql));
    }

    [Fact]
    public async Task Claims_are_forgotten_some_time_after_their_account_was_closed()
    {
        await using var fixture = await StartAsync(postgres, Once(OncePer.Email));
        await fixture.ReadAsync(User("ana", "ana@example.com"), User("bob", "bob@example.com"), User("cem", "cem@example.com"));
        await fixture.DeleteAsync("ana", "bob");
        await fixture.Database.ExecuteAsync(
            """
            update grant_claims set at = now() - interval '800 days';
            update user_credits set updated_at = now() - interval '731 days' where user_id in ('ana', 'cem');
            """);
        var store = new ClaimStore(fixture.Database.DataSource);
        Assert.Equal(1, await store.PurgeAsync(DateTimeOffset.UtcNow.AddDays(-730), 10, Token));
        Assert.Equal(["bob", "cem"], await fixture.Database.QueryAsync<string>("select first_user from grant_claims order by 1"));
        Assert.Equal(["bob", "cem"], await fixture.Database.QueryAsync<string>("select account_id from granted_emails order by 1"));
    }

    [Fact]
    public void Claims_of_kinds_and_keys_differ_and_need_a_key()
    {
        var keys = new ClaimKeys(New, [], new InboxRules());
        string[] hashes = [
            .. new[]
            {
                keys.Of(OncePer.Email, "ana@x.org")!, keys.Of(OncePer.Inbox, "ana@x.org")!, keys.Identity("ana@x.org", "", "")!,
                keys.Of(ClaimKinds.Reported("card"), "ana@x.org")!,
            }.Select(claim => Convert.ToHexString(claim.Hash)).Distinct()];
        Assert.Equal(4, hashes.Length);
        Assert.Null(keys.Of(OncePer.User, "ana@x.org"));
        Assert.Null(keys.Of(OncePer.Inbox, " "));
        Assert.Null(new ClaimKeys("", [Old], new InboxRules()).Of(OncePer.Email, "ana@x.org"));
    }

    internal static ProvisioningOptions Once(OncePer once, string? key = null, params string[] previous) => new()
    {
        SignupGrant = new SignupGrantOptions { OncePer = once, EmailKey = key ?? Old, PreviousEmailKeys = [.. previous] },
    };
}
