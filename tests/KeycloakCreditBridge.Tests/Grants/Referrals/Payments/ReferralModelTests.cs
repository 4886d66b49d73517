using System.Globalization;
using CsCheck;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Grants.Referrals.Payments;

/// <summary>
/// Random orders about 200 referees of 20 referrers on two replicas at once, whose sessions are killed at random; what failed is repeated.
/// Orders about one referrer come one after another, and each evaluation to both replicas at once: so the model has one answer for each
/// referral.
/// </summary>
public sealed class ReferralModelTests(PostgresFixture postgres)
{
    private const int Referrers = 20;
    private const int Referees = 200;
    private const int Threads = 8;
    private const int Places = 5;
    private const int Kills = 40;
    private const int KillEvery = 36;

    private const string KillSql =
        """
        select count(pg_terminate_backend(pid))::int from (
            select pid from pg_stat_activity
            where datname = current_database() and application_name = 'replica' and xact_start is not null
            order by random() limit 1) s
        """;

    private const string ToldSql =
        """
        select concat_ws(' ', r.referee, r.state, coalesce(r.reason, '-'), case when r.place_at is null then '-' else 'place' end,
            case when g.grant_key is null then '-' else 'given' end, case when t.grant_key is null then '-' else 'received' end,
            coalesce(h.state, '-'))
        from referrals r
        left join credit_transactions g on g.user_id = r.referrer and g.grant_key = 'referral:given:' || r.id
        left join credit_transactions t on t.user_id = r.referee and t.grant_key = 'referral:received'
        left join grant_holds h on h.user_id = r.referee
        order by r.referee
        """;

    // Each is drawn as often as it stands here.
    private static readonly Order[] Drawn =
    [
        Order.Evaluate, Order.Evaluate, Order.Evaluate, Order.Approve, Order.Approve, Order.Approve, Order.Reject, Order.Reject,
        Order.Reject, Order.Appeal, Order.Appeal, Order.Appeal, Order.Spend, Order.Refund, Order.Verify, Order.Hold, Order.Release,
        Order.Close, Order.Reverse,
    ];

    private static readonly Gen<Order> Orders = Gen.Int[0, Drawn.Length - 1].Select(index => Drawn[index]);

    // Of each referee: what it is, and what happens in each of three rounds.
    private static readonly Gen<(int Kind, Order[] First, Order[] Second, Order[] Third)[]> Fates = Gen.Select(
        Gen.Int[0, 19], Orders.Array[0, 2], Orders.Array[0, 3], Orders.Array[0, 3]).Array[Referees];

    private static readonly TimeSpan[] Pauses =
        [TimeSpan.FromDays(7), TimeSpan.FromHours(1), TimeSpan.FromHours(1), TimeSpan.FromDays(30)];

    private enum Order
    {
        Evaluate,
        Approve,
        Reject,
        Appeal,
        Spend,
        Refund,
        Verify,
        Hold,
        Release,
        Close,
        Reverse,
    }

    private static string ReferrerOf(int referee) => $"r{referee % Referrers:00}";

    private static int NumberOf(ModelReferral referral) => int.Parse(referral.Referee.AsSpan(1), CultureInfo.InvariantCulture);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_happens_at_once_each_referral_is_where_the_model_has_it() =>
        await Fates.SampleAsync(RunAsync, iter: Effort.Times(1), threads: 1, print: _ => "the fates of this seed");

    private async Task RunAsync((int Kind, Order[] First, Order[] Second, Order[] Third)[] fates)
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres, new ReferralOptions
        {
            ReferrerCredits = 5m, RefereeCredits = 3m, MostPerReferrer = Places, MostIn30Days = Places,
        });
        await using var one = fixture.Replica();
        await using var other = fixture.Replica();
        var run = new Run(fixture, [one, other]);
        await fixture.OpenAsync([.. Enumerable.Range(0, Referrers).Select(number => $"r{number:00}")]);
        await fixture.OpenAsync([.. Enumerable.Range(0, Referees).Select(number => $"e{number:000}")]);
        ReferralModel[] models = [
            .. Enumerable.Range(0, Referrers).Select(_ => new ReferralModel(Places, fixture.Terms.Settle, fixture.Terms.Within))];
        await Each(async referrer =>
        {
            for (var number = referrer; number < Referees; number += Referrers)
                await run.BeginAsync(models[referrer], ReferrerOf(number), $"e{number:000}", fates[number].Kind);
        });
        for (var round = 0; round <= Pauses.Length; round++)
        {
            await Each(async referrer =>
            {
                foreach (var referral in models[referrer].Referrals)
                {
                    var fate = fates[NumberOf(referral)];
                    foreach (var order in round switch { 0 => fate.First, 1 => fate.Second, 2 => fate.Third, _ => [] })
                        await run.DoAsync(models[referrer], referral, order);
                }

                foreach (var referral in models[referrer].Referrals)
                    await run.DoAsync(models[referrer], referral, Order.Evaluate);
            });
            Assert.Equal(
                models.SelectMany(model => model.Referrals).Select(referral => $"{referral}").Order(StringComparer.Ordinal),
                await fixture.Database.QueryAsync<string>(ToldSql));
            if (round < Pauses.Length)
                fixture.Time.Advance(Pauses[round]);
        }

        Assert.True(run.Killed > 0, "No session was killed.");
        Assert.Equal(
            models.Select((model, number) => $"r{number:00} {model.Places}"),
            await fixture.Database.QueryAsync<string>("select user_id || ' ' || places from referrers order by 1"));

        static Task Each(Func<int, Task> work) => Parallel.ForEachAsync(
            Enumerable.Range(0, Referrers), new ParallelOptions { MaxDegreeOfParallelism = Threads, CancellationToken = Token },
            async (referrer, _) => await work(referrer));
    }

    /// <summary>Gives each order to the model and to a replica.</summary>
    private sealed class Run(ReferralFixture fixture, ReferralFixture[] replicas)
    {
        private int _orders;
        private int _killed;

        public int Killed => _killed;

        public async Task BeginAsync(ReferralModel model, string referrer, string referee, int kind)
        {
            var referral = new ModelReferral(referee, isSuspect: kind < 8, sharesInbox: kind == 19, fixture.Time.GetUtcNow());
            model.Referrals.Add(referral);
            if (referral.IsSuspect)
                fixture.Suspect(referee);
            Show(referral);
            await RepeatedAsync(replica => replica.TouchAsync(referrer, referee));
            if (kind != 18)
                await DoAsync(model, referral, Order.Spend);
        }

        public async Task DoAsync(ReferralModel model, ModelReferral referral, Order order)
        {
            var (id, now) = (referral.Referee, fixture.Time.GetUtcNow());
            switch (order)
            {
                case Order.Evaluate:
                    model.Evaluate(referral, now);
                    var evaluated = await IdOfAsync(id);
                    await Task.WhenAll(replicas.Select(own => RepeatedAsync(_ => own.EvaluateAsync(evaluated))));
                    break;
                case Order.Approve:
                    model.Approve(referral);
                    await DecideAsync(id, HoldState.Approved);
                    break;
                case Order.Reject:
                    ReferralModel.Reject(referral);
                    await DecideAsync(id, HoldState.Rejected);
                    break;
                case Order.Appeal:
                    ReferralModel.Appeal(referral);
                    await RepeatedAsync(replica => replica.Holds.AppealAsync(id, "referral:received", "Please.", Token));
                    break;
                case Order.Reverse:
                    ReferralModel.Reverse(referral);
                    var reversed = await IdOfAsync(id);
                    await RepeatedAsync(replica => replica.Reversal.ReverseAsync(
                        new ReversalOrder(reversed, ReferralSide.Both, "test", "test"), replica.Terms, Token));
                    break;
                case Order.Spend when now < referral.TouchedAt + fixture.Terms.Within && referral.Status == "active":
                    referral.Spent++;
                    await fixture.SpendAsync(id, 1m);
                    break;
                case Order.Refund when referral is { Spent: >= 1m, Status: "active" }:
                    referral.Spent--;
                    await fixture.RefundAsync(id, 1m);
                    break;
                case Order.Verify:
                    referral.IsVerified = !referral.IsVerified;
                    Show(referral);
                    break;
                case Order.Hold when referral.Status == "active":
                    await StatusAsync(referral, "held", "disabled");
                    break;
                case Order.Release when referral.Status == "held":
                    await StatusAsync(referral, "active", null);
                    break;
                case Order.Close:
                    await StatusAsync(referral, "closed", "deleted");
                    break;
            }
        }

        private void Show(ModelReferral referral) => fixture.Show(
            referral.Referee, referral.IsVerified, referral.SharesInbox ? $"{ReferrerOf(NumberOf(referral))}@example.com" : null);

        private Task<Guid> IdOfAsync(string referee) =>
            fixture.Database.ScalarAsync<Guid>("select id from referrals where referee = @referee", new { referee });

        private async Task StatusAsync(ModelReferral referral, string status, string? reason)
        {
            referral.Status = status;
            await fixture.Database.ExecuteAsync(
                "update user_credits set status = @status, status_reason = @reason where user_id = @Id",
                new { Id = referral.Referee, status, reason });
        }

        private async Task DecideAsync(string referee, HoldState to)
        {
            foreach (var (id, version) in await fixture.Database.QueryAsync<(Guid, int)>(
                "select id, version from grant_holds where user_id = @referee", new { referee }))
                await RepeatedAsync(replica => replica.Holds.DecideAsync(new HoldDecision(id, version, to, "operator"), null, Token));
        }

        // What a killed session did is unknown: the caller asks again.
        private async Task RepeatedAsync(Func<ReferralFixture, Task> work)
        {
            while (true)
            {
                var order = Interlocked.Increment(ref _orders);
                try
                {
                    if (_killed < Kills && order % KillEvery == 0)
                        Interlocked.Add(ref _killed, await fixture.Database.ScalarAsync<int>(KillSql));
                    await work(replicas[order % replicas.Length]);
                    return;
                }
                catch (NpgsqlException exception) when (exception is not PostgresException { SqlState: not (
                    PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.DeadlockDetected) })
                {
                    // The session was killed.
                }
            }
        }
    }
}
