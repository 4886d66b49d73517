using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Grants.Referrals.Payments;

/// <summary>No referrer is paid for one referral too many, however many are evaluated at once.</summary>
public sealed class ReferralCapTests(PostgresFixture postgres)
{
    private const int Referrers = 20;
    private const int Referees = 200;
    private const int Threads = 8;
    private const int Kills = 40;

    private const string OpenSql =
        "select exists (select from referrals where state not in ('paid', 'capped') or state = 'capped' and referee_grant is null)";

    // One that is at work on a referral, in whatever statement.
    private const string KillSql =
        """
        select count(pg_terminate_backend(pid))::int from (
            select pid from pg_stat_activity
            where datname = current_database() and xact_start is not null and query not like '%pg_terminate_backend%'
            order by random() limit 1) s
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_hundred_referees_of_twenty_referrers_at_once_are_paid_up_to_the_cap()
    {
        await using var fixture = await CrowdAsync();
        // Each is evaluated by several at once, as by replicas whose leases ran out.
        var ids = await fixture.Database.QueryAsync<Guid>("select id from referrals");
        await Parallel.ForEachAsync(
            ids.Concat(ids.Reverse()), new ParallelOptions { MaxDegreeOfParallelism = Threads, CancellationToken = Token },
            async (id, _) => await fixture.EvaluateAsync(id));
        await AssertCappedAsync(fixture);
    }

    [Fact]
    public async Task The_same_crowd_is_paid_the_same_where_sessions_are_killed_at_random()
    {
        await using var fixture = await CrowdAsync();
        await using var killer = new TestDatabase(fixture.Database.ConnectionString);
        var killed = 0;
        while (await fixture.Database.ScalarAsync<bool>(OpenSql))
        {
            var ids = await fixture.Database.QueryAsync<Guid>("select id from referrals order by random()");
            await Parallel.ForEachAsync(
                ids, new ParallelOptions { MaxDegreeOfParallelism = Threads, CancellationToken = Token },
                async (id, _) =>
                {
                    try
                    {
                        if (killed < Kills)
                            Interlocked.Add(ref killed, await killer.ScalarAsync<int>(KillSql));
                        await fixture.EvaluateAsync(id);
                    }
                    catch (NpgsqlException)
                    {
                        // A session was killed: the referral stays as it is, or as it was committed.
                    }
                });
            // Sessions that were killed after their work are still in the pool.
            fixture.Database.DataSource.Clear();
        }

        Assert.True(killed >= Kills, $"{killed} sessions were killed.");
        await AssertCappedAsync(fixture);
    }

    [Fact]
    public async Task A_pending_referral_uses_a_place_and_a_canceled_one_gives_it_back()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres, new ReferralOptions
        {
            ReferrerCredits = 5m, RefereeCredits = 3m, MostPerReferrer = 1, MostIn30Days = 1,
        });
        await fixture.OpenAsync("ana", "bob", "eve", "ida");
        foreach (var referee in (string[])["bob", "eve"])
        {
            await fixture.TouchAsync("ana", referee);
            await fixture.SpendAsync(referee, 1m);
            await fixture.EvaluateAsync();
        }

        Assert.Equal(["ana>bob pending", "ana>eve capped no_place"], await fixture.ReferralsAsync());
        await fixture.Reversal.ReverseAsync(
            new ReversalOrder(await fixture.IdOfAsync("bob"), ReferralSide.Both, "fraud", "admin"), fixture.Terms, Token);
        await fixture.TouchAsync("ana", "ida");
        await fixture.SpendAsync("ida", 1m);
        await fixture.EvaluateAsync();
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(
            ["ana>bob canceled reversed", "ana>eve capped no_place", "ana>ida paid"], await fixture.ReferralsAsync());
        Assert.Equal(
            ["ana referral:given:ID 5", "eve referral:received 3", "ida referral:received 3"], await fixture.GrantsAsync());
    }

    [Fact]
    public async Task Thirty_days_later_there_are_places_again_up_to_the_total()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres, new ReferralOptions
        {
            ReferrerCredits = 5m, RefereeCredits = 3m, MostPerReferrer = 2, MostIn30Days = 1,
        });
        await fixture.OpenAsync("ana");
        foreach (var referee in (string[])["bob", "eve", "ida", "tom"])
        {
            await fixture.OpenAsync(referee);
            await fixture.PayAsync("ana", referee);
            if (referee != "bob")
                fixture.Time.Advance(TimeSpan.FromDays(30));
        }

        Assert.Equal(
            ["ana>bob paid", "ana>eve capped no_place", "ana>ida paid", "ana>tom capped no_place"], await fixture.ReferralsAsync());
    }

    private async Task<ReferralFixture> CrowdAsync()
    {
        var fixture = await ReferralFixture.StartAsync(postgres, new ReferralOptions
        {
            ReferrerCredits = 5m, RefereeCredits = 3m, MostPerReferrer = 7, MostIn30Days = 7, Settle = TimeSpan.Zero,
        });
        await fixture.OpenAsync([.. Enumerable.Range(0, Referrers).Select(number => $"r{number:00}")]);
        await fixture.OpenAsync([.. Enumerable.Range(0, Referees).Select(number => $"e{number:000}")]);
        for (var number = 0; number < Referees; number++)
        {
            await fixture.TouchAsync($"r{number % Referrers:00}", $"e{number:000}");
            await fixture.SpendAsync($"e{number:000}", 1m);
        }

        return fixture;
    }

    // Of ten referees each referrer has seven places.
    private static async Task AssertCappedAsync(ReferralFixture fixture)
    {
        Assert.Equal(["capped 60", "paid 140"], await fixture.Database.QueryAsync<string>(
            "select state || ' ' || count(*) from referrals group by state order by 1"));
        Assert.Equal(["7 7"], await fixture.Database.QueryAsync<string>(
            """
            select distinct f.places || ' ' || (select count(*) from credit_transactions t
                where t.user_id = f.user_id and t.grant_key like 'referral:given:%')
            from referrers f
            """));
        Assert.Equal(Referees, await fixture.Database.ScalarAsync<int>(
            "select count(*)::int from credit_transactions where grant_key = 'referral:received'"));
    }
}
