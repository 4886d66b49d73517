using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Awards;

/// <summary>A welcome that is decided a while after the user's creation.</summary>
public sealed class DecideAfterTests(PostgresFixture postgres)
{
    private static readonly GrantsOptions Late = new()
    {
        Welcome = new WelcomeOptions
        {
            Credits = 5m, Before = 1m, DecideAfter = TimeSpan.FromMinutes(2),
            Rules = [new() { When = new() { Group = "/partners" }, Credits = 20m }],
        },
    };

    [Fact]
    public async Task A_group_of_the_first_moments_counts_and_the_time_is_kept_through_a_restart()
    {
        await using var fixture = await StartAsync(postgres, Late);
        var user = User("ana") with { CreatedAt = DateTimeOffset.UtcNow, Groups = [], IsReadInFull = true };
        await fixture.ConvergeAsync(fixture.Evaluate(user, DateTimeOffset.UtcNow));
        Assert.Equal(["ana active 1.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(
            ["ana welcome"], await fixture.Database.QueryAsync<string>("select keycloak_id || ' ' || what from scheduled_evaluations"));
        var due = await fixture.Database.ScalarAsync<DateTime>("select due_at from scheduled_evaluations");
        var store = new ScheduledEvaluationStore(fixture.Database.DataSource);
        Assert.Equal(0, await store.HintAsync(due.AddSeconds(-1), 10, TestContext.Current.CancellationToken));
        Assert.Equal(1, await store.HintAsync(due, 10, TestContext.Current.CancellationToken));

        var later = fixture.Restart(Late);
        for (var readings = 0; readings < 2; readings++)
            await later.ConvergeAsync(later.Evaluate(user with { Groups = ["/partners"] }, due.AddSeconds(1)));

        Assert.Equal(["ana active 20.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from scheduled_evaluations"));
        await fixture.Database.AssertLedgerAsync();
    }

    [Fact]
    public async Task A_user_that_was_created_long_ago_is_decided_at_once()
    {
        await using var fixture = await StartAsync(postgres, Late);
        await fixture.ReadAsync(User("ana") with { CreatedAt = Start.AddDays(-9), Groups = [], IsReadInFull = true });
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task What_cannot_be_read_leaves_the_welcome_owed_and_no_hint_that_comes_again_and_again()
    {
        await using var fixture = await StartAsync(postgres, Late);
        var user = User("ana") with { CreatedAt = Start.AddDays(-9) };
        await fixture.ReadAsync(user with { IsReadInFull = true });
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
        await fixture.ReadAsync(user);
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
        Assert.Equal(["ana active 1.00 of ana"], await fixture.AccountsAsync());
    }
}
