using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Grants.Experiments.Running;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Review.Holds;

/// <summary>What a hold keeps back is paid by an approval, and on no other way.</summary>
public sealed class HeldCreditsTests(PostgresFixture postgres)
{
    private static readonly (string, string?)[] On = [("Grants:Fraud:Enabled", "true"), ("Grants:Fraud:Key", new string('f', 32))];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null)]
    [InlineData("rejected")]
    [InlineData("lapsed")]
    public async Task A_new_period_pays_what_the_account_opened_with_and_an_approval_the_rest(string? decided)
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(
            postgres, [.. On, ("Grants:Fraud:WhileHeld", "1"), ("Periods:Enabled", "true")]);
        var id = await HeldAsync(fixture, "bob");
        if (decided is not null)
            Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldMoves.Parse(decided)));
        await fixture.Database.ExecuteAsync(
            "update user_credits set created_at = @At - interval '40 days', last_reset = @At - interval '1 minute' where user_id = 'bob'",
            new { At = fixture.Time.GetUtcNow() });
        await fixture.Services.GetRequiredService<PeriodReset>().RunAsync(Token);
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>(
            "select count(*)::int from credit_transactions where user_id = 'bob' and grant_key like 'reset:%'"));
        Assert.Equal(1m, await fixture.BalanceAsync("bob"));
        if (decided is not null)
            return;
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldState.Approved));
        Assert.Equal(5m, await fixture.BalanceAsync("bob"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("rejected")]
    public async Task A_tier_switch_adds_nothing_of_it(string? decided)
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(
            postgres, [.. On, ("Grants:Fraud:WhileHeld", "1"), ("Provisioning:ProRate", "true")]);
        var id = await HeldAsync(fixture, "bob");
        if (decided is not null)
            Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldMoves.Parse(decided)));
        for (var rounds = 0; rounds < 3; rounds++)
        {
            await SwitchAsync(fixture, "starter");
            await SwitchAsync(fixture, "trial");
        }

        // Each step comes a second later, so that a round leaves what that second is worth.
        Assert.InRange(await fixture.BalanceAsync("bob"), 0.99m, 1.01m);
        if (decided is not null)
            return;
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldState.Approved));
        Assert.InRange(await fixture.BalanceAsync("bob"), 4.99m, 5.01m);
    }

    [Fact]
    public async Task Who_is_held_is_in_an_arm_and_exposed_to_it_by_the_approval_with_what_the_arm_gives()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(postgres, [.. On, .. TrialSettings()]);
        var (held, refused) = (TrialExperiment.Others[0], TrialExperiment.Others[1]);
        var id = await HeldAsync(fixture, held);
        await fixture.DecideAsync(await HeldAsync(fixture, refused), HoldState.Rejected);
        Assert.Equal(["waits", "waits"], await ExposedAsync());
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldState.Approved));
        Assert.Equal((10m, 0m), (await fixture.BalanceAsync(held), await fixture.BalanceAsync(refused)));
        Assert.Equal([fixture.Time.GetUtcNow().ToString("O"), "waits"], await ExposedAsync());
        await fixture.ReadAsync(User(held, "ana.b@gmail.com"));
        Assert.Equal(10m, await fixture.BalanceAsync(held));

        async Task<string[]> ExposedAsync() =>
        [
            .. (await fixture.Database.QueryAsync<DateTime?>(
                "select exposed_at from experiment_assignments where keycloak_id in (@held, @refused) order by keycloak_id = @held desc",
                new { held, refused }))
                .Select(at => at is { } time ? new DateTimeOffset(time, TimeSpan.Zero).ToString("O") : "waits"),
        ];
    }

    // A second account of one inbox.
    private static async Task<Guid> HeldAsync(HoldFixture fixture, string user)
    {
        // An experiment takes users that are a day old at most, and younger ones are asked for in Keycloak.
        foreach (var one in (Subject[])[User("ana", "ana.b@gmail.com"), User(user, $"anab+{user}@gmail.com")])
        {
            fixture.Time.Advance(TimeSpan.FromSeconds(1));
            await fixture.ConvergeAsync(one with { CreatedAt = fixture.Time.GetUtcNow().AddDays(-1) });
        }

        return (await fixture.List.ListAsync(new HoldFilter([HoldFixture.Realm], HoldState.Held), 10, Token)).Single(
            hold => hold.AccountId == user).Id;
    }

    private static async Task SwitchAsync(HoldFixture fixture, string tier)
    {
        fixture.Time.Advance(TimeSpan.FromSeconds(1));
        var tiers = fixture.Services.GetRequiredService<Hot<GrantPolicy>>().Current.Tiers;
        var switched = await fixture.Services.GetRequiredService<TierStore>().SwitchAsync(
            new TierSwitchRequest(
                new AccountSelector(HoldFixture.Realm, "bob", IsOwn: false, []), tiers.Find(tier)!, "admin", null, "caller", null, []),
            tiers.ProRating, fixture.Time.GetUtcNow(), Token);
        Assert.NotNull(switched.Answer);
    }

    private static IEnumerable<(string, string?)> TrialSettings()
    {
        const string trial = $"Grants:Experiments:{TrialExperiment.Key}";
        yield return ("Grants:Welcome:Credits", "3");
        yield return ($"{trial}:From", "2026-01-01");
        yield return ($"{trial}:Planned", "100");
        foreach (var (index, name, credits) in ((int, string, string)[])[(0, "control", "5"), (1, "more", "10")])
        {
            yield return ($"{trial}:Arms:{index}:Name", name);
            yield return ($"{trial}:Arms:{index}:Weight", "0.5");
            yield return ($"{trial}:Arms:{index}:Credits", credits);
        }
    }
}
