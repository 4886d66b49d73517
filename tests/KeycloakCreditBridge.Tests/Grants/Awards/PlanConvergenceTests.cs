using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Awards;

/// <summary>Whatever the order of readings, the replicas and the moments at which they are killed: the ledger is the plan's.</summary>
[SuppressMessage("Security", "CA5394", Justification = "A test that is repeated has to meet the same readings.")]
public sealed class PlanConvergenceTests(PostgresFixture postgres)
{
    private const int Users = 500;
    private const int Threads = 8;

    [Fact]
    public async Task Readings_in_any_order_on_two_replicas_that_are_killed_at_random_give_the_ledger_of_one_thread()
    {
        const int Seed = 20261130;
        await using var fixture = await StartAsync(postgres, Policies(), OncePerEmail());
        var replicas = new[] { fixture, fixture.Restart(Policies()) };
        var readings = Readings(new Random(Seed)).ToArray();
        using var done = new CancellationTokenSource();
        var killer = KillAsync(fixture, new Random(Seed), done.Token);
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(async () =>
        {
            var random = new Random(Seed + thread);
            var mine = readings.ToArray();
            random.Shuffle(mine);
            foreach (var batch in mine.Chunk(1 + random.Next(60)))
                await ConvergeAsync(replicas[thread % 2], batch);
        })));
        await done.CancelAsync();
        await killer;
        // A session may be killed just after its work was done, and waits for its next use.
        fixture.Database.DataSource.Clear();

        await using var planned = await StartAsync(postgres, Policies(), OncePerEmail());
        foreach (var (subject, at) in readings.OrderBy(reading => reading.At))
            await planned.ConvergeAsync(planned.Evaluate(subject, at));

        Assert.Equal(await GrantedAsync(planned), await GrantedAsync(fixture));
        Assert.Empty(await fixture.Database.QueryAsync<string>(
            """
            select user_id from user_credits c
            where credits_remaining <> (select coalesce(sum(amount), 0) from credit_transactions t where t.user_id = c.user_id)
            """));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>(
            """
            select count(*)::int from (
                select t.user_id from credit_transactions t
                where t.grant_key = 'welcome'
                    and (select count(*) from audit_logs a where a.user_id = t.user_id and a.action = 'credit.welcome') <> 1) unaudited
            """));
    }

    [Fact]
    public async Task A_policy_that_is_switched_on_over_ten_thousand_accounts_grants_nothing()
    {
        await using var fixture = await StartAsync(postgres);
        Subject[] users = [.. Enumerable.Range(0, 10_000).Select(number => User(Id(number), $"{Id(number)}@example.com"))];
        foreach (var some in users.Chunk(1_000))
            await fixture.ReadAsync(some);
        var rows = await fixture.Database.ScalarAsync<int>("select count(*)::int from credit_transactions");
        var later = fixture.Restart(Policies());
        foreach (var some in users.Chunk(1_000))
        {
            Assert.Empty(await later.DifferencesAsync(some));
            await later.ReadAsync(some);
        }

        Assert.Equal(rows, await fixture.Database.ScalarAsync<int>("select count(*)::int from credit_transactions"));
    }

    // A user is seen unverified, then verified; some never, some disabled meanwhile, some with the address of another one.
    private static IEnumerable<(Subject Subject, DateTimeOffset At)> Readings(Random random)
    {
        for (var number = 0; number < Users; number++)
        {
            var id = Id(number);
            var address = number % 10 == 9 ? $"{id}x@example.com" : $"{id}@example.com";
            var verifies = random.Next(4) > 0;
            yield return (Unverified(id, address), Start.AddSeconds(number));
            if (random.Next(3) == 0)
                yield return (Unverified(id, address) with { Enabled = false }, Start.AddSeconds(1_000 + number));
            yield return (
                (verifies ? User(id, address) : Unverified(id, address)) with { Enabled = random.Next(8) > 0 },
                Start.AddSeconds(2_000 + number));
        }
    }

    // What is killed may be done or not: it is repeated, as a hint is.
    private static async Task ConvergeAsync(AccountFixture replica, (Subject Subject, DateTimeOffset At)[] batch)
    {
        while (true)
        {
            try
            {
                var result = await replica.ConvergeAsync([.. batch.Select(reading => replica.Evaluate(reading.Subject, reading.At))]);
                if (result.Refusals.Count == 0)
                    return;
            }
            catch (NpgsqlException)
            {
            }
        }
    }

    private static async Task KillAsync(AccountFixture fixture, Random random, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(40));
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await timer.WaitForNextTickAsync(cancellationToken);
                await fixture.Database.ExecuteAsync(
                    """
                    select pg_terminate_backend(pid) from (
                        select pid from pg_stat_activity
                        where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
                        order by pid offset @Skipped limit 1) victim
                    """, new { Skipped = random.Next(Threads) });
            }
            catch (OperationCanceledException)
            {
            }
            catch (NpgsqlException)
            {
                // Its own session was the victim of the round before.
            }
        }
    }

    private static Task<IReadOnlyList<string>> GrantedAsync(AccountFixture fixture) => fixture.Database.QueryAsync<string>(
        """
        select concat_ws(' ', t.user_id, t.grant_key, t.amount::numeric(9, 2), c.status, c.credits_remaining::numeric(9, 2),
            c.withheld_credits::numeric(9, 2), g.policy, g.policy_version)
        from credit_transactions t
        join user_credits c on c.user_id = t.user_id
        left join credit_grants g on g.user_id = t.user_id and g.grant_key = t.grant_key
        order by t.user_id, t.grant_key
        """);

    private static string Id(int number) => string.Create(CultureInfo.InvariantCulture, $"user-{number:D5}");

    private static GrantsOptions Policies() => new()
    {
        Welcome = new WelcomeOptions { Credits = 5m, Before = 1m, Requires = [Requirements.EmailVerified] },
        Tasks =
        {
            ["verify"] = new TaskOptions { Evidence = new TaskEvidenceOptions { EmailVerified = true }, Credits = 0.5m },
        },
    };
}
