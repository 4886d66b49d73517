using System.Diagnostics.CodeAnalysis;
using Dapper;
using KeycloakCreditBridge.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.Tiers.TierFollowTests;

namespace KeycloakCreditBridge.Tests.Provisioning.Tiers;

[SuppressMessage("Security", "CA5394", Justification = "Only the order of batches depends on it.")]
public sealed class TierRaceTests(PostgresServer postgres)
{
    private const int People = 40;

    private static readonly string?[] Plans = ["starter", "professional", "enterprise", null];

    private static readonly string[] Ids = [.. Enumerable.Range(0, People).Select(number => $"p{number:d2}")];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_reading_that_several_replicas_bring_switches_once()
    {
        await using var scene = await StartAsync();
        var judgements = Ids.Select(id => scene.Judge(Person(id, "professional"))).ToArray();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(number => Task.Run(() => scene.ConvergeAsync(Shuffled(judgements, number)), Token)));
        Assert.Equal(People, await CountAsync(scene, "select count(*)::int from audit_logs where action = 'tier.switch'"));
        Assert.Equal(People, await CountAsync(scene, "select count(*)::int from user_credits where tier = 'professional'"));
        await scene.Database.AssertNoDeadlockAsync();
    }

    [Fact]
    public async Task Replicas_that_switch_hold_and_release_the_same_people_meet_in_no_deadlock_with_each_other_or_with_a_meter()
    {
        await using var scene = await StartAsync(proRate: true);
        await scene.Database.ExecuteAsync("update user_credits set last_reset = now() + interval '15 days'");
        await Task.WhenAll(
        [
            .. Enumerable.Range(0, 4).Select(number => Task.Run(() => LookAsync(scene, new Random(number)), Token)),
            .. Enumerable.Range(4, 2).Select(number => Task.Run(() => ChargeAsync(scene, new Random(number)), Token)),
        ]);
        await scene.SeeAsync([.. Ids.Select(id => Person(id, "starter"))]);
        Assert.Equal(People, await CountAsync(scene, "select count(*)::int from user_credits where tier = 'starter' and status = 'active'"));
        await scene.Database.AssertNoDeadlockAsync();
    }

    [Fact]
    public async Task People_whom_several_replicas_see_first_end_at_what_the_newest_reading_says()
    {
        await using var scene = await AccountScene.StartAsync(postgres, Options());
        var readings = Enumerable.Range(0, 6)
            .Select(number => Ids.Select(id => scene.Judge(Person(id, Plans[number % Plans.Length]))).ToArray()).ToArray();
        await Task.WhenAll(readings.Select((reading, number) => Task.Run(() => scene.ConvergeAsync(Shuffled(reading, number)), Token)));
        Assert.Equal(People, await CountAsync(scene, "select count(*)::int from user_credits c join keycloak_users k using (keycloak_id) where c.tier = 'professional' and k.tier = c.tier"));
    }

    private async Task<AccountScene> StartAsync(bool proRate = false)
    {
        var scene = await AccountScene.StartAsync(postgres, Options(), new() { ProRate = proRate });
        await scene.SeeAsync([.. Ids.Select(id => Person(id, null))]);
        return scene;
    }

    private static async Task LookAsync(AccountScene scene, Random random)
    {
        for (var round = 0; round < 25; round++)
        {
            var people = Shuffled(Ids, random.Next()).Take(random.Next(1, People))
                .Select(id => Person(id, Plans[random.Next(Plans.Length)]) with { Enabled = random.Next(4) > 0 });
            await scene.SeeAsync([.. people]);
        }
    }

    // As the meter does: accounts in order, then what they pay.
    private static async Task ChargeAsync(AccountScene scene, Random random)
    {
        for (var round = 0; round < 60; round++)
        {
            await using var connection = await scene.Database.DataSource.OpenConnectionAsync(Token);
            await using var transaction = await connection.BeginTransactionAsync(Token);
            var ids = Shuffled(Ids, random.Next()).Take(15).ToArray();
            await connection.ExecuteAsync("""select 1 from user_credits where user_id = any (@ids) order by user_id collate "C" for no key update""", new { ids });
            await connection.ExecuteAsync(
                """
                with charged as (
                    update user_credits set credits_remaining = credits_remaining - 0.5 where user_id = any (@ids) returning user_id, credits_remaining
                )
                insert into credit_transactions (user_id, amount, balance_after, transaction_type) select user_id, -0.5, credits_remaining, 'usage' from charged
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

    private static Task<int> CountAsync(AccountScene scene, string sql) => scene.Database.ScalarAsync<int>(sql);
}
