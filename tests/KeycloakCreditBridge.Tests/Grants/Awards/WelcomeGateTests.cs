using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Awards;

/// <summary>Welcome credits that wait for a verified address.</summary>
public sealed class WelcomeGateTests(PostgresFixture postgres)
{
    private const string Address = "ana@example.com";

    [Fact]
    public async Task An_account_opens_with_the_part_before_and_the_rest_follows_once_the_address_is_verified()
    {
        await using var fixture = await StartAsync(postgres, Gate());
        await fixture.ReadAsync(Unverified("ana"));
        Assert.Equal(["ana signup 1.00 initial_allocation"], await fixture.LedgerAsync());

        for (var readings = 0; readings < 3; readings++)
            await fixture.ReadAsync(User("ana", Address));

        Assert.Equal(["ana signup 1.00 initial_allocation", "ana welcome 4.00 initial_allocation"], await fixture.LedgerAsync());
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["credit.create", "credit.welcome"], await fixture.AuditAsync("ana"));
        Assert.Equal(0, await WithheldAsync(fixture));
    }

    [Fact]
    public async Task A_user_whose_address_is_verified_already_gets_all_at_once()
    {
        await using var fixture = await StartAsync(postgres, Gate(before: 0m));
        await fixture.ReadAsync(User("ana", Address));
        Assert.Equal(["ana signup 0.00 initial_allocation", "ana welcome 5.00 initial_allocation"], await fixture.LedgerAsync());
    }

    [Fact]
    public async Task Without_requirements_all_is_given_at_the_opening()
    {
        await using var fixture = await StartAsync(postgres, new GrantsOptions { Welcome = new WelcomeOptions { Credits = 7m } });
        await fixture.ReadAsync(Unverified("ana"));
        Assert.Equal(["ana signup 7.00 initial_allocation"], await fixture.LedgerAsync());
        Assert.Equal(0, await WithheldAsync(fixture));
    }

    [Fact]
    public async Task Each_grant_says_which_policy_gave_it_and_when_it_ends()
    {
        await using var fixture = await StartAsync(postgres, Gate(expiresAfter: TimeSpan.FromDays(30)));
        await fixture.ReadAsync(User("ana", Address));
        Assert.Equal(
            ["signup welcome 30", "welcome welcome 30"],
            await fixture.Database.QueryAsync<string>(
                """
                select concat_ws(' ', grant_key, policy, round(extract(epoch from expires_at - now()) / 86400)) from credit_grants
                where policy_version is not null order by grant_key
                """));
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>(
            "select count(*)::int from user_credits c where next_expiry = (select min(expires_at) from credit_grants)"));
        Assert.DoesNotContain(
            Address, await fixture.Database.ScalarAsync<string>("select string_agg(evidence::text, '') from credit_grants"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_account_from_before_the_policy_gets_nothing_by_it()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.ReadAsync(Unverified("ana"));
        var later = fixture.Restart(Gate());
        Assert.Empty(await later.DifferencesAsync(User("ana", Address)));
        await later.ReadAsync(User("ana", Address));
        Assert.Equal(["ana signup 5.00 initial_allocation"], await fixture.LedgerAsync());
    }

    [Fact]
    public async Task A_replica_without_the_policy_that_opens_an_account_leaves_nothing_owed()
    {
        await using var fixture = await StartAsync(postgres, Gate());
        await fixture.ReadAsync(Unverified("bob"));
        await fixture.Restart(new GrantsOptions()).ReadAsync(Unverified("ana"));
        await fixture.Restart(Gate()).ReadAsync(User("ana", Address));
        Assert.Equal("ana signup 5.00 initial_allocation", (await fixture.LedgerAsync())[0]);
    }

    [Fact]
    public async Task What_configuration_changes_later_moves_neither_what_was_given_nor_what_is_owed()
    {
        await using var fixture = await StartAsync(postgres, Gate());
        await fixture.ReadAsync(Unverified("ana"), User("bob", "bob@example.com"));
        var raised = fixture.Restart(Gate(credits: 50m));
        await raised.ReadAsync(User("ana", Address), User("bob", "bob@example.com"));
        Assert.Equal(["ana active 5.00 of ana", "bob active 5.00 of bob"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_complete_run_finds_a_silently_verified_address_once()
    {
        await using var fixture = await StartAsync(postgres, Gate());
        await fixture.ReadAsync(Unverified("ana"));
        Assert.Empty(await fixture.DifferencesAsync(Unverified("ana")));
        Assert.Equal(["ana"], await fixture.UnchangedAsync(Unverified("ana")));
        Assert.Equal(["ana"], await fixture.DifferencesAsync(User("ana", Address)));
        Assert.Empty(await fixture.UnchangedAsync(User("ana", Address)));

        await fixture.ReadAsync(User("ana", Address));

        Assert.Empty(await fixture.DifferencesAsync(User("ana", Address)));
        Assert.Equal(["ana"], await fixture.UnchangedAsync(User("ana", Address)));
    }

    [Fact]
    public async Task An_account_that_is_held_is_paid_when_it_is_active_again()
    {
        await using var fixture = await StartAsync(postgres, Gate());
        await fixture.ReadAsync(User("ana", Address, enabled: false));
        await fixture.ReadAsync(User("ana", Address, enabled: false));
        Assert.Equal(["ana held disabled 1.00 of ana"], await fixture.AccountsAsync());
        await fixture.ReadAsync(User("ana", Address));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_verified_address_that_comes_too_late_earns_nothing()
    {
        await using var fixture = await StartAsync(postgres, Gate(within: TimeSpan.FromHours(1)));
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.ConvergeAsync(fixture.Evaluate(User("ana", Address), Start.AddHours(1)));
        Assert.Equal(["ana active 1.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_older_reading_pays_nothing()
    {
        await using var fixture = await StartAsync(postgres, Gate());
        var older = fixture.Evaluate(User("ana", Address));
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.ConvergeAsync(older);
        Assert.Equal(["ana active 1.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task One_address_earns_one_welcome_where_an_address_counts_once()
    {
        await using var fixture = await StartAsync(postgres, Gate(), OncePerEmail());
        await fixture.ReadAsync(Unverified("ana"), Unverified("bob"));
        await fixture.ReadAsync(User("ana", Address), User("bob", Address));
        await fixture.ReadAsync(User("bob", Address));
        await fixture.ReadAsync(User("eve", Address));
        Assert.Equal(
            ["ana active 5.00 of ana", "bob active 1.00 of bob", "eve active 1.00 of eve"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_address_that_was_granted_before_the_policy_earns_no_welcome_for_another_account()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(User("ana", Address));
        var later = fixture.Restart(Gate(before: 0m));
        await later.ReadAsync(User("bob", Address));
        Assert.Equal(["ana active 5.00 of ana", "bob active 0.00 of bob"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_account_whose_opening_grant_waited_before_the_policy_gets_it_as_it_was_promised()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await fixture.ReadAsync(Unverified("ana"));
        var later = fixture.Restart(Gate());
        await later.ReadAsync(Unverified("ana"));
        Assert.Equal(["ana active 0.00 of ana"], await fixture.AccountsAsync());
        await later.ReadAsync(User("ana", Address));
        await later.ReadAsync(User("ana", Address));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_renamed_account_keeps_what_is_withheld_from_it()
    {
        await using var fixture = await StartAsync(postgres, Gate(), new ProvisioningOptions { AccountId = "{email}" });
        await fixture.ReadAsync(Unverified("ana", "old@example.com"));
        await fixture.ReadAsync(User("ana", Address));
        Assert.Equal([$"{Address} active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Without_a_policy_nothing_more_is_written()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.ReadAsync(Unverified("ana"), User("bob", "bob@example.com"));
        Assert.Equal(
            0, await fixture.Database.ScalarAsync<int>(
                """
                select (select count(*) from grant_policies)::int + (select count(*) from credit_grants)::int
                    + (select count(*) from user_credits where withheld_before is not null)::int
                """));
    }

    internal static GrantsOptions Gate(
        decimal credits = 5m, decimal before = 1m, TimeSpan? within = null, TimeSpan? expiresAfter = null) => new()
    {
        Welcome = new WelcomeOptions
        {
            Credits = credits, Before = before, Requires = [Requirements.EmailVerified], VerifyWithin = within, ExpiresAfter = expiresAfter,
        },
    };

    private static Task<int> WithheldAsync(AccountFixture fixture) => fixture.Database.ScalarAsync<int>(
        "select count(*)::int from user_credits where withheld_credits is not null or withheld_before is not null");
}
