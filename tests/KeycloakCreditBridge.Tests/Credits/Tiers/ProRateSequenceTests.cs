using System.Diagnostics.CodeAnalysis;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Provisioning.Accounts;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Credits.Tiers;

/// <summary>Random sequences of switches by the API and by Keycloak, of spending and of ends of periods.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Only the order of steps depends on it.")]
public sealed class ProRateSequenceTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string SwitchedSql =
        """
        select coalesce(sum(amount), 0) from credit_transactions where user_id = @Id and metadata ->> 'reason' = 'tier_switch'
        """;

    private const string SpendSql =
        """
        with spent as (
            update user_credits set credits_remaining = credits_remaining - @Amount where user_id = @Id returning credits_remaining)
        insert into credit_transactions (user_id, amount, balance_after, transaction_type)
        select @Id, -@Amount, credits_remaining, 'usage' from spent
        """;

    private static readonly DateTimeOffset Start = new(2026, 12, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly string[] Tiers = ["free", "trial", "starter", "professional", "enterprise"];

    private readonly IOptions<ProvisioningOptions> _options = Options.Create(TierFollowTests.Options(proRate: true));
    private TestDatabase _database = null!;
    private TierCatalogue _tiers = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _tiers = new TierCatalogue(_options);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task Whatever_the_order_of_steps_a_period_gives_no_more_than_the_difference_of_its_first_and_its_greatest_tier()
    {
        for (var seed = 0; seed < 60; seed++)
            await RunAsync(seed, $"u{seed}");
        Assert.Empty(await _database.QueryAsync<string>(
            """
            select user_id from user_credits c
            where credits_remaining <> (select sum(amount) from credit_transactions t where t.user_id = c.user_id)
            """));
    }

    [Fact]
    public async Task Steps_up_and_down_without_spending_come_out_even()
    {
        await SwitchAsync("ana", "trial", Start, byKeycloak: true);
        foreach (var (tier, days) in ((string, int)[])[("professional", 15), ("trial", 15), ("professional", 20), ("trial", 20)])
            await SwitchAsync("ana", tier, Start.AddDays(days), byKeycloak: false);
        Assert.Equal(0m, Math.Round(await SwitchedAsync("ana"), 4));
    }

    [Fact]
    public async Task A_detour_through_an_unlimited_tier_gives_nothing()
    {
        await SwitchAsync("ana", "trial", Start, byKeycloak: true);
        foreach (var tier in (string[])["professional", "enterprise", "trial", "professional"])
        {
            await SwitchAsync("ana", tier, Start.AddDays(15), byKeycloak: false);
            await _database.ExecuteAsync(SpendSql, new { Id = "ana", Amount = 100m });
        }

        Assert.Equal(27.5m, Math.Round(await SwitchedAsync("ana"), 4));
    }

    [Fact]
    public async Task A_period_that_began_unlimited_is_not_pro_rated()
    {
        await SwitchAsync("ana", "enterprise", Start, byKeycloak: true);
        foreach (var tier in (string[])["trial", "professional", "trial", "professional"])
            await SwitchAsync("ana", tier, Start.AddDays(1), byKeycloak: false);
        Assert.Equal(0m, await SwitchedAsync("ana"));
    }

    [Fact]
    public async Task The_end_of_the_period_cancels_what_a_step_down_could_not_take()
    {
        await SwitchAsync("ana", "trial", Start, byKeycloak: true);
        await SwitchAsync("ana", "professional", Start.AddDays(15), byKeycloak: false);
        await _database.ExecuteAsync(SpendSql, new { Id = "ana", Amount = 32.5m });
        await SwitchAsync("ana", "free", Start.AddDays(15), byKeycloak: true);
        await SwitchAsync("ana", "professional", Start.AddDays(15), byKeycloak: false);
        Assert.Equal(27.5m, Math.Round(await SwitchedAsync("ana"), 4));
        await SwitchAsync("ana", "trial", Start.AddDays(16), byKeycloak: false);
        await RenewAsync(Start.AddDays(30));
        await SwitchAsync("ana", "professional", Start.AddDays(45), byKeycloak: false);
        Assert.Equal(55m, Math.Round(await SwitchedAsync("ana"), 4));
    }

    private async Task RunAsync(int seed, string id)
    {
        var random = new Random(seed);
        var now = Start;
        var tier = Tiers[random.Next(Tiers.Length)];
        await SwitchAsync(id, tier, now, byKeycloak: true);
        Period? period = null;
        for (var step = 0; step < 40; step++)
        {
            now += TimeSpan.FromHours(random.Next(random.Next(2) == 0 ? 2 : 100));
            var ends = await _database.ScalarAsync<DateTime>("select last_reset from user_credits where user_id = @Id", new { Id = id });
            if (period is null || ends != period.Ends)
                period = new Period(ends, tier, await SwitchedAsync(id));
            switch (random.Next(6))
            {
                case 0 when now.UtcDateTime >= ends:
                    await RenewAsync(now);
                    continue;
                case < 3:
                    var balance = await _database.ScalarAsync<decimal>("select credits_remaining from user_credits where user_id = @Id",
                        new { Id = id });
                    if (balance > 0)
                        await _database.ExecuteAsync(SpendSql,
                            new { Id = id, Amount = random.Next(3) == 0 ? Math.Round(balance / 2, 6) : balance });
                    continue;
            }

            await SwitchAsync(id, Tiers[random.Next(Tiers.Length)], now, byKeycloak: random.Next(2) == 0);
            // A tier that Keycloak says again is not applied again.
            tier = (await _database.ScalarAsync<string>("select tier from user_credits where user_id = @Id", new { Id = id }))!;
            period = period.With(tier, Math.Max((ends - now.UtcDateTime) / _options.Value.Period, 0));
            var given = await SwitchedAsync(id) - period.Before;
            Assert.True(given <= period.Limit(_tiers),
                $"seed {seed}, step {step}: switches gave {given}, and {period.Limit(_tiers)} is the most");
        }
    }

    private async Task SwitchAsync(string id, string tier, DateTimeOffset now, bool byKeycloak)
    {
        if (byKeycloak)
        {
            var state = new GrantPolicy(_options).Evaluate(TierFollowTests.User(id, tier), now, "test");
            await new AccountStore(_database.DataSource).ConvergeAsync(new PlannedBatch([state], [], [], []), now, Token);
            return;
        }

        var request = new TierSwitchRequest(new AccountSelector("shop", id, IsOwn: false, []), _tiers.Find(tier)!, "admin", null, "caller",
            null, []);
        Assert.NotNull((await new TierStore(_database.DataSource, _options).SwitchAsync(request, _tiers.ProRating, now, Token)).Answer);
    }

    private Task<RenewedRange> RenewAsync(DateTimeOffset now) => new PeriodStore(_database.DataSource).RenewAsync(
        new AccountRange("", "\U0010FFFF", 1_000),
        new PeriodTerms(_options.Value.Period, Rollover: false, null,
        [.. _tiers.All.Select(tier => new TierPeriod(tier.Tier, tier.Credits, tier.Unlimited, null))]),
        now,
        Token);

    private Task<decimal> SwitchedAsync(string id) => _database.ScalarAsync<decimal>(SwitchedSql, new { Id = id });

    /// <param name="Before">What switches gave in periods before.</param>
    /// <param name="Rest">Of the period, at its first switch.</param>
    private sealed record Period(DateTime Ends, string First, decimal Before, string[]? Held = null, double? Rest = null)
    {
        public Period With(string tier, double rest) => this with { Held = [.. Held ?? [], tier], Rest = Rest ?? rest };

        public decimal Limit(TierCatalogue tiers)
        {
            if (tiers.Find(First) is not { Unlimited: false, Credits: var first })
                return 0m;
            var greatest = Held!.Select(tiers.Find).Where(tier => !tier!.Unlimited).Max(tier => (decimal?)tier!.Credits) ?? first;
            return Math.Round(Math.Max(greatest - first, 0m) * (decimal)Rest!.Value, 6, MidpointRounding.ToPositiveInfinity);
        }
    }
}
