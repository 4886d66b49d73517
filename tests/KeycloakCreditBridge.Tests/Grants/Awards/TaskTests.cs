using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Awards;

/// <summary>Credits that users earn by doing something.</summary>
public sealed class TaskTests(PostgresFixture postgres)
{
    private static readonly GrantsOptions Sheet = new()
    {
        Welcome = new WelcomeOptions { Credits = 1m },
        Tasks =
        {
            ["verify-email"] = new() { Evidence = new() { EmailVerified = true }, Credits = 1m },
            ["mfa"] = new() { Evidence = new() { Credential = ["otp"] }, Credits = 1.5m, Requires = ["verify-email"] },
        },
    };

    [Fact]
    public async Task Each_task_is_paid_once_when_it_is_done()
    {
        await using var fixture = await StartAsync(postgres, Sheet);
        await fixture.ReadAsync(Unverified("ana"));
        for (var readings = 0; readings < 3; readings++)
            await fixture.ReadAsync(Secured(Unverified("ana")));
        Assert.Equal(["ana active 1.00 of ana"], await fixture.AccountsAsync());
        for (var readings = 0; readings < 3; readings++)
            await fixture.ReadAsync(Secured(User("ana", "ana@example.com")));

        Assert.Equal(
            [
                "ana signup 1.00 initial_allocation", "ana task:mfa 1.50 policy", "ana task:verify-email 1.00 policy",
            ],
            await fixture.LedgerAsync());
        Assert.Equal(["1.000000", "2.500000", "3.500000"], await fixture.Database.QueryAsync<string>(
            "select balance_after::text from credit_transactions order by created_at"));
        Assert.Equal(["credit.create", "credit.grant", "credit.grant"], await fixture.AuditAsync("ana"));
    }

    [Fact]
    public async Task What_was_removed_after_it_was_paid_takes_nothing_back()
    {
        await using var fixture = await StartAsync(postgres, Sheet);
        await fixture.ReadAsync(Secured(User("ana", "ana@example.com")));
        await fixture.ReadAsync(User("ana", "ana@example.com") with { Credentials = [] });
        Assert.Equal(["ana active 3.50 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_task_that_is_switched_on_later_concerns_new_accounts_alone()
    {
        await using var fixture = await StartAsync(postgres, new GrantsOptions { Welcome = Sheet.Welcome });
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        var later = fixture.Restart(Sheet);
        await later.ReadAsync(Secured(User("ana", "ana@example.com")), User("bob", "bob@example.com"));
        Assert.Equal(["ana active 1.00 of ana", "bob active 2.00 of bob"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_complete_run_finds_a_task_that_a_listing_shows_to_be_done()
    {
        await using var fixture = await StartAsync(postgres, Sheet);
        await fixture.ReadAsync(Unverified("ana"));
        var verified = User("ana", "ana@example.com");
        Assert.Equal(["ana"], await fixture.UnchangedAsync(Unverified("ana")));
        Assert.Equal(["ana"], await fixture.DifferencesAsync(verified));
        Assert.Empty(await fixture.UnchangedAsync(verified));
        await fixture.ReadAsync(verified);
        Assert.Empty(await fixture.DifferencesAsync(verified));
        Assert.Equal(["ana"], await fixture.UnchangedAsync(verified));
    }

    [Fact]
    public async Task A_disabled_task_pays_nothing_more()
    {
        await using var fixture = await StartAsync(postgres, Sheet);
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.Database.ExecuteAsync("update grant_policies set disabled_at = now() where policy = 'task:verify-email'");
        await fixture.Restart(Sheet).ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana active 1.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Evidence_that_does_not_stand_pays_nothing_and_one_that_stands_is_evaluated_again_in_time()
    {
        var settling = new GrantsOptions
        {
            Tasks = { ["mfa"] = new() { Evidence = new() { Credential = ["otp"] }, Credits = 1.5m, Settle = TimeSpan.FromMinutes(1) } },
        };
        await using var fixture = await StartAsync(postgres, settling);
        await fixture.ReadAsync(Secured(User("ana")), Secured(User("bob")));
        Assert.Equal(["ana mfa", "bob mfa"], await fixture.Database.QueryAsync<string>(
            "select user_id || ' ' || task from task_evidence order by 1"));
        await fixture.ReadAsync(User("bob") with { Credentials = [] });

        var store = new ScheduledEvaluationStore(fixture.Database.DataSource);
        Assert.Equal(0, await store.HintAsync(Start.AddSeconds(60), 100, TestContext.Current.CancellationToken));
        Assert.Equal(2, await store.HintAsync(Start.AddSeconds(70), 100, TestContext.Current.CancellationToken));
        Assert.Equal(0, await store.HintAsync(Start.AddSeconds(70), 100, TestContext.Current.CancellationToken));
        Assert.Equal(["ana SCHEDULED", "bob SCHEDULED"], await fixture.Database.QueryAsync<string>(
            "select keycloak_id || ' ' || cause from user_hints order by 1"));

        await fixture.ConvergeAsync(
            fixture.Evaluate(Secured(User("ana")), Start.AddSeconds(70)),
            fixture.Evaluate(User("bob") with { Credentials = [] }, Start.AddSeconds(70)));
        Assert.Equal(["ana active 6.50 of ana", "bob active 5.00 of bob"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_hint_that_waits_keeps_its_time_and_is_evaluated_for_both_causes()
    {
        await using var fixture = await StartAsync(postgres, Sheet);
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
            values ('shop', 'ana', 0, 'webhook', 'UPDATE_PROFILE', 'changed', '2026-11-23 12:00:00+00', now());
            insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
            values ('shop', 'ana', 'task:mfa', '2026-11-23 12:00:10+00')
            """);
        await new ScheduledEvaluationStore(fixture.Database.DataSource).HintAsync(
            Start.AddSeconds(70), 100, TestContext.Current.CancellationToken);
        Assert.Equal("UPDATE_PROFILE 12:00:00", await fixture.Database.ScalarAsync<string>(
            "select cause || ' ' || to_char(hinted_at at time zone 'UTC', 'HH24:MI:SS') from user_hints where version > 0"));
    }

    private static Subject Secured(Subject user) => user with { Credentials = ["password", "otp"] };
}
