using System.Diagnostics.CodeAnalysis;
using Dapper;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.Accounts.TierFollowTests;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

[SuppressMessage("Security", "CA5394", Justification = "Only the order of batches depends on it.")]
public sealed class TierRaceTests(PostgresFixture postgres)
{
    private const int Users = 40;

    private static readonly string?[] Plans = ["starter", "professional", "enterprise", null];

    private static readonly string[] Ids = [.. Enumerable.Range(0, Users).Select(number => $"p{number:d2}")];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_reading_converged_by_several_replicas_switches_once()
    {
        await using var fixture = await StartAsync();
        var states = Ids.Select(id => fixture.Evaluate(User(id, "professional"))).ToArray();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(number => Task.Run(() => fixture.ConvergeAsync(Shuffled(states, number)), Token)));
        Assert.Equal(Users, await CountAsync(fixture, "select count(*)::int from audit_logs where action = 'tier.switch'"));
        Assert.Equal(Users, await CountAsync(fixture, "select count(*)::int from user_credits where tier = 'professional'"));
        await fixture.Database.AssertNoDeadlockAsync();
    }

    [Fact]
    public async Task Replicas_that_switch_hold_and_release_the_same_users_never_deadlock_with_each_other_or_a_charge()
    {
        await using var fixture = await StartAsync(proRate: true);
        await fixture.Database.ExecuteAsync("update user_credits set last_reset = now() + interval '15 days'");
        await Task.WhenAll(
        [
            .. Enumerable.Range(0, 4).Select(number => Task.Run(() => ReadAsync(fixture, new Random(number)), Token)),
            .. Enumerable.Range(4, 2).Select(number => Task.Run(() => ChargeAsync(fixture, new Random(number)), Token)),
        ]);
        await fixture.ReadAsync([.. Ids.Select(id => User(id, "starter"))]);
        Assert.Equal(Users, await CountAsync(fixture,
            "select count(*)::int from user_credits where tier = 'starter' and status = 'active'"));
        await fixture.Database.AssertNoDeadlockAsync();
    }

    [Fact]
    public async Task Users_first_read_by_several_replicas_end_with_the_tier_of_the_newest_reading()
    {
        await using var fixture = await AccountFixture.StartAsync(postgres, Options());
        var readings = Enumerable.Range(0, 6)
            .Select(number => Ids.Select(id => fixture.Evaluate(User(id, Plans[number % Plans.Length]))).ToArray()).ToArray();
        await Task.WhenAll(readings.Select((reading, number) => Task.Run(() => fixture.ConvergeAsync(Shuffled(reading, number)), Token)));
        Assert.Equal(
            Users, await CountAsync(
                fixture, "select count(*)::int from user_credits c join keycloak_users k using (keycloak_id) where c.tier = 'professional' "
                    + "and k.tier = c.tier"));
    }

    private async Task<AccountFixture> StartAsync(bool proRate = false)
    {
        var fixture = await AccountFixture.StartAsync(postgres, Options(proRate));
        await fixture.ReadAsync([.. Ids.Select(id => User(id, null))]);
        return fixture;
    }

    private static async Task ReadAsync(AccountFixture fixture, Random random)
    {
        for (var round = 0; round < 25; round++)
        {
            var users = Shuffled(Ids, random.Next()).Take(random.Next(1, Users))
                .Select(id => User(id, Plans[random.Next(Plans.Length)]) with { Enabled = random.Next(4) > 0 });
            await fixture.ReadAsync([.. users]);
        }
    }

    // As the meter does: accounts in order, then what they pay.
    private static async Task ChargeAsync(AccountFixture fixture, Random random)
    {
        for (var round = 0; round < 60; round++)
        {
            await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
            await using var transaction = await connection.BeginTransactionAsync(Token);
            var ids = Shuffled(Ids, random.Next()).Take(15).ToArray();
            await connection.ExecuteAsync(
                """select 1 from user_credits where user_id = any (@ids) order by user_id collate "C" for no key update""", new { ids });
            await connection.ExecuteAsync(
                """
                with charged as (
                    update user_credits set credits_remaining = credits_remaining - 0.5 where user_id = any (@ids) returning user_id,
                        credits_remaining
                )
                insert into credit_transactions (user_id, amount, balance_after, transaction_type) select user_id, -0.5, credits_remaining,
                    'usage' from charged
                """,
                new { ids });
            await transaction.CommitAsync(Token);
        }
    }

    private static T[] Shuffled<T>(T[] items, int seed)
    {
        T[] copy = [.. items];
        new Random(seed).Shuffle(copy);
        return copy;
    }

    private static Task<int> CountAsync(AccountFixture fixture, string sql) => fixture.Database.ScalarAsync<int>(sql);
}
