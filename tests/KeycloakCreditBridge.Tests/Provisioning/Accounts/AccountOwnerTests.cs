using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>An account belongs to one user. Two users never share one.</summary>
public sealed class AccountOwnerTests(PostgresFixture postgres)
{
    private const string OwnerSql = "select realm || ' ' || keycloak_id || ' ' || status from user_credits";

    private static ProvisioningOptions ByEmail => new() { AccountId = "{email}" };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Equal_ids_in_two_realms_are_two_users(bool together)
    {
        await using var fixture = await StartAsync(postgres);
        var (one, copy) = (User("ana", realm: "a"), User("ana", realm: "b"));
        if (together)
            await fixture.ReadAsync(one, copy);
        else
            await fixture.ReadAsync(one);
        await fixture.ReadAsync(copy with { Enabled = false });
        await fixture.ConvergeAsync(fixture.EvaluateDeleted("ana", "b"));

        Assert.Equal(["a ana active"], await fixture.Database.QueryAsync<string>(OwnerSql));
        await fixture.ReadAsync(copy);
        Assert.Equal(["ana account ana", "ana excluded account_id_taken"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(one, copy));
        Assert.Equal(1, await fixture.GrantsAsync());
    }

    [Fact]
    public async Task An_account_without_an_owner_becomes_that_of_one_user_for_good()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.Database.ExecuteAsync(
            "insert into user_credits (user_id, credits_remaining, status, status_reason) values ('ana', 3, 'held', 'operator')");
        Assert.Equal(["ana"], await fixture.DifferencesAsync(User("ana", realm: "a")));

        await fixture.ReadAsync(User("ana", realm: "a"), User("ana", realm: "b"));

        var owner = Assert.Single(await fixture.Database.QueryAsync<string>(OwnerSql));
        Assert.EndsWith("ana held", owner, StringComparison.Ordinal);
        Assert.Equal(
            ["account", "excluded"],
                await fixture.Database.QueryAsync<string>("select user_state from keycloak_users order by user_state"));
        Assert.Empty(await fixture.DifferencesAsync(User("ana", realm: "a"), User("ana", realm: "b")));
        Assert.Equal(0, await fixture.GrantsAsync());
    }

    [Fact]
    public async Task An_account_without_an_owner_is_not_given_to_the_first_user_with_its_unverified_address()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('ana@example.com', 3)");
        var squatter = User("squatter", "ana@example.com", realm: "a") with { EmailVerified = false };

        await fixture.ReadAsync(squatter);
        Assert.Equal(["squatter excluded account_id_taken"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(squatter));

        var ana = User("ana", "ana@example.com");
        await fixture.ReadAsync(ana);
        Assert.Equal(["ana@example.com active 3.00 of ana"], await fixture.AccountsAsync());
        await fixture.ReadAsync(ana with { EmailVerified = false });
        Assert.Equal(["ana@example.com active 3.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_older_reading_completes_no_hint()
    {
        await using var fixture = await StartAsync(postgres);
        var older = fixture.NextReading();
        await fixture.ReadAsync(User("ana"));
        await fixture.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
            values ('shop', 'ana', 7, 'webhook', 'USER-DELETE', 'deleted', @Start, @Start)
            """,
            new { Start = Start.UtcDateTime });

        await fixture.ConvergeAsync(fixture.EvaluateDeleted("ana") with { ReadAt = older, HintVersion = 7 });
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));

        await fixture.ConvergeAsync(fixture.EvaluateDeleted("ana") with { HintVersion = 7 });
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
        Assert.Equal(["ana closed deleted 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Many_users_that_want_one_account_at_once_on_several_bridges_are_never_merged()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        for (var round = 0; round < 30; round++)
        {
            var email = $"shared{round}@example.com";
            await Task.WhenAll(Enumerable.Range(0, 6).Select(number => Task.Run(() => fixture.ReadAsync(
                User($"{round}-{number % 3}", email), User($"{round}-{(number + 1) % 3}", email),
                    User($"{round}-own-{number % 2}", $"own{round}-{number % 2}@example.com")))));
        }

        Assert.Equal((90, 90), ((await fixture.AccountsAsync()).Count, await fixture.GrantsAsync()));
        Assert.Equal(90, await fixture.Database.ScalarAsync<int>(
            "select count(*)::int from keycloak_users k join user_credits c on c.user_id = k.account_id and c.keycloak_id = k.keycloak_id "
                + "where k.user_state = 'account'"));
        Assert.Equal(
            60, await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from keycloak_users where reason = 'account_id_taken' and account_id is null"));
    }

    [Fact]
    public async Task A_new_user_with_the_verified_address_of_a_deleted_one_gets_the_account_and_no_second_grant()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("first", "ana@example.com"));
        await fixture.DeleteAsync("first");

        await fixture.ReadAsync(User("second", "ana@example.com") with { EmailVerified = false });
        Assert.Equal(["first deleted ana@example.com", "second excluded account_id_taken"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(User("second", "ana@example.com") with { EmailVerified = false }));

        await fixture.ReadAsync(User("second", "ana@example.com"));
        await fixture.DeleteAsync("first");
        await fixture.ReadAsync(User("first", "ana@example.com"));

        Assert.Equal(["ana@example.com active 5.00 of second"], await fixture.AccountsAsync());
        Assert.Equal(["first excluded account_id_taken", "second account ana@example.com"], await fixture.KnownAsync());
        Assert.Equal(["credit.create", "credit.close", "credit.inherit"], await fixture.AuditAsync("ana@example.com"));
        Assert.Equal(1, await fixture.GrantsAsync());
    }

    [Fact]
    public async Task A_deletion_and_the_new_registration_in_one_batch_pass_the_account_on()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("first", "ana@example.com"));
        await fixture.ConvergeAsync(fixture.Evaluate(User("second", "ana@example.com")), fixture.EvaluateDeleted("first"));
        Assert.Equal(["ana@example.com active 5.00 of second"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Bridges_that_pass_an_account_on_at_once_pass_it_to_one()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        for (var round = 0; round < 20; round++)
        {
            var email = $"ana{round}@example.com";
            await fixture.ReadAsync(User($"{round}-first", email));
            await fixture.DeleteAsync($"{round}-first");
            await Task.WhenAll(
                Enumerable.Range(0, 6).Select(number => Task.Run(() => fixture.ReadAsync(User($"{round}-heir-{number % 2}", email)))));
        }

        Assert.Equal((20, 20), ((await fixture.AccountsAsync()).Count, await fixture.GrantsAsync()));
        Assert.Equal(20, await fixture.Database.ScalarAsync<int>(
            "select count(*)::int from keycloak_users k join user_credits c on c.user_id = k.account_id and c.keycloak_id = k.keycloak_id "
                + "where k.user_state = 'account'"));
    }

    [Fact]
    public async Task The_account_of_a_deleted_user_is_inherited_within_its_realm_alone()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("first", "ana@example.com"));
        await fixture.DeleteAsync("first");

        var elsewhere = User("elsewhere", "ana@example.com", realm: "other");
        await fixture.ReadAsync(elsewhere);
        Assert.Equal(["ana@example.com closed deleted 5.00 of first"], await fixture.AccountsAsync());
        Assert.Empty(await fixture.DifferencesAsync(elsewhere));

        await fixture.ReadAsync(User("second", "ana@example.com"));
        Assert.Equal(["ana@example.com active 5.00 of second"], await fixture.AccountsAsync());
        Assert.Equal(
            ["elsewhere excluded account_id_taken", "first deleted ana@example.com", "second account ana@example.com"],
                await fixture.KnownAsync());
    }

    [Theory]
    [InlineData("{username}")]
    [InlineData("{realm}:{email}:{username}")]
    public async Task An_account_named_by_anything_but_the_address_is_never_inherited(string template)
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { AccountId = template });
        var user = User("first", "ana@example.com") with { Username = "ana" };
        await fixture.ReadAsync(user);
        await fixture.DeleteAsync("first");
        await fixture.ReadAsync(user with { KeycloakId = "second" });
        Assert.EndsWith("closed deleted 5.00 of first", Assert.Single(await fixture.AccountsAsync()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_excluded_user_gets_no_account_by_an_unverified_address()
    {
        await using var fixture = await StartAsync(
            postgres, new ProvisioningOptions { AccountId = "{email}", Eligibility = { EmailVerified = true } });
        await fixture.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('ana@example.com', 100)");
        await fixture.ReadAsync(User("thief", "ana@example.com") with { EmailVerified = false });
        Assert.Equal(["ana@example.com active 100.00"], await fixture.AccountsAsync());
        Assert.Equal(["thief excluded email_not_verified"], await fixture.KnownAsync());
    }
}
