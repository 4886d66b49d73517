using CsCheck;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Grants.Codes;

/// <summary>
/// Random attempts, voids and disabled codes at once, while connections are cut at random moments and what failed is repeated. Whatever
/// happens, places, redemptions, grants and balances say the same, and no cap is passed.
/// </summary>
public sealed class RedeemModelTests(PostgresFixture postgres)
{
    private const int Users = 12;
    private const int Threads = 8;

    private const string WrongSql =
        """
        select 'code ' || c.number || ' of ' || g.name || ': ' || c.redeemed || ' of ' || c.max_redemptions || ', ' || r.open
        from codes c
        join code_campaigns g on g.id = c.campaign_id
        cross join lateral (
            select count(*) filter (where not r.released) as open from code_redemptions r where r.code_id = c.id) r
        where c.redeemed <> r.open or c.redeemed > c.max_redemptions
        union all
        select 'redemption of ' || r.user_id || ' is ' || r.state || ' with ' || t.grants || ' grants and ' || t.voids || ' voids'
        from code_redemptions r
        cross join lateral (
            select count(*) filter (where t.grant_key = 'code:' || r.code_id) as grants,
                count(*) filter (where t.grant_key = 'void:code:' || r.code_id) as voids
            from credit_transactions t where t.user_id = r.user_id) t
        where t.grants <> 1 or t.voids <> case r.state when 'void' then 1 else 0 end
        union all
        select 'grant ' || t.grant_key || ' of ' || t.user_id || ' has no redemption'
        from credit_transactions t
        where t.grant_key like 'code:%' and not exists (
            select from code_redemptions r where r.user_id = t.user_id and 'code:' || r.code_id = t.grant_key)
        union all
        select 'balance of ' || c.user_id
        from user_credits c
        where c.credits_remaining <> coalesce((select sum(t.amount) from credit_transactions t where t.user_id = c.user_id), 0)
        """;

    private static readonly Gen<(int Kind, int User, int Code)[]> Steps =
        Gen.Select(Gen.Int[0, 39], Gen.Int[0, Users - 1], Gen.Int[0, 5]).Array[150];

    [Fact]
    public async Task Places_redemptions_grants_and_balances_agree_whatever_happens_at_once()
    {
        await using var fixture = await CodeFixture.CreateAsync(
            postgres, [.. Enumerable.Range(0, Users).Select(number => $"user-{number}")]);
        fixture.Options.Codes.FailuresPerUser = 1_000;
        var round = 0;
        await Steps.SampleAsync(
            async steps => await RunAsync(fixture, $"round-{Interlocked.Increment(ref round)}", steps), iter: 3, threads: 1);
    }

    private static async Task RunAsync(CodeFixture fixture, string name, (int Kind, int User, int Code)[] steps)
    {
        string[] codes = [
            .. await fixture.MakeAsync(CodeFixture.Campaign($"{name}-shared", count: 2, places: 3, credits: 1m)),
            .. await fixture.MakeAsync(CodeFixture.Campaign($"{name}-single", count: 4, credits: 0.5m)),
        ];
        using var done = new CancellationTokenSource();
        var cutting = CutAsync(fixture, done.Token);
        await Parallel.ForEachAsync(steps, new ParallelOptions { MaxDegreeOfParallelism = Threads }, async (step, token) =>
        {
            var campaign = $"{name}-{(step.Code < 2 ? "shared" : "single")}";
            await RepeatedAsync(() => step.Kind switch
            {
                0 => VoidAsync(fixture, campaign, step.User % 2 == 0, token),
                1 when step.User == 0 => fixture.Campaigns.DisableAsync(
                    CodeFixture.Realm, campaign, step.Code, "test", fixture.Grants.Time.GetUtcNow(), token),
                _ => fixture.RedeemAsync($"user-{step.User}", codes[step.Code]),
            });
        });
        await done.CancelAsync();
        await cutting;
        // Sessions that were cut while they were idle are still in the pool.
        fixture.Database.DataSource.Clear();
        Assert.Empty(await fixture.Database.QueryAsync<string>(WrongSql));
    }

    private static async Task VoidAsync(CodeFixture fixture, string campaign, bool release, CancellationToken token)
    {
        var order = new CampaignVoid(CodeFixture.Realm, campaign, VoidReach.Stop, "test", release, null, "test");
        var counted = await fixture.Voider.VoidAsync(order, token);
        await fixture.Voider.VoidAsync(order with { Confirmed = counted.Redemptions }, token);
    }

    // What a cut connection did is unknown: the caller asks again.
    private static async Task RepeatedAsync(Func<Task> work)
    {
        while (true)
        {
            try
            {
                await work();
                return;
            }
            catch (NpgsqlException)
            {
            }
        }
    }

    private static async Task CutAsync(CodeFixture fixture, CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            await RepeatedAsync(() => fixture.Database.ExecuteAsync(
                """
                select pg_terminate_backend(pid) from (
                    select pid from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid() and state in ('active', 'idle in transaction')
                    order by random() limit 1) a
                """));
            await Task.Yield();
        }
    }
}
