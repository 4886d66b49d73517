using CsCheck;
using Dapper;
using KeycloakCreditBridge.Outbox.Sending;
using KeycloakCreditBridge.Tests.Outbox;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Models;

/// <summary>
/// Accounts change and transactions stay open or are undone, while two replicas send, the sink refuses, operators have events sent again
/// and sessions are cut. Whatever happens, the sink takes every event that was recorded and none else, those of an account in their order.
/// </summary>
public sealed class OutboxModelTests(PostgresFixture postgres)
{
    private const int Accounts = 6;
    private const int Threads = 4;

    private const string FlipSql =
        "update user_credits set status = case status when 'active' then 'held' else 'active' end where user_id = @account";

    private const string OpenSql =
        """
        insert into user_credits (user_id, credits_remaining, credits_allocated, tier, last_reset) values (@account, 5, 5, 'trial', now())
        """;

    private static readonly Gen<(int Kind, int Account, bool Cut)[]> Steps =
        Gen.Select(Gen.Int[0, 19], Gen.Int[1, Accounts], Gen.Int[0, 3], (kind, account, cut) => (kind, account, cut == 0)).Array[60];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public Task Every_event_is_taken_and_those_of_an_account_in_their_order() =>
        Steps.SampleAsync(RunAsync, iter: Effort.Times(2), threads: 1);

    private async Task RunAsync((int Kind, int Account, bool Cut)[] steps)
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await using var sink = await SinkFixture.StartAsync();
        await using var cuts = new SessionCuts(fixture.Database);
        await fixture.KnowAsync();
        await fixture.OpenAsync(Accounts);
        using var first = new Turn(fixture.Sender(sink));
        using var second = new Turn(fixture.Sender(sink, batch: 3));
        var asked = 0;
        sink.Answer = (_, context) =>
        {
            // Of a batch all events have one answer.
            if (!context.Items.TryGetValue(nameof(sink), out var status))
                context.Items[nameof(sink)] = status = Interlocked.Increment(ref asked) % 4 == 0
                    ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status204NoContent;
            return Task.FromResult((int)status!);
        };
        await Parallel.ForEachAsync(steps, new ParallelOptions { MaxDegreeOfParallelism = Threads }, async (step, _) =>
        {
            var turn = step.Account % 2 == 0 ? first : second;
            await cuts.TryAsync(step.Cut, () => step.Kind switch
            {
                < 8 => ChangeAsync(fixture, step.Account, isUndone: step.Kind == 0, turn),
                < 11 => fixture.Database.ExecuteAsync(FlipSql, new { account = $"user-{step.Account}" }),
                < 18 => turn.RunAsync(),
                18 => fixture.Replays.ReplayAsync(OutboxFixture.Sink, DateTimeOffset.UnixEpoch, Token),
                _ => fixture.Replays.ReplayAsync(OutboxFixture.Sink, null, Token),
            });
        });
        await cuts.SettleAsync();
        sink.Answer = (_, _) => Task.FromResult(StatusCodes.Status204NoContent);
        await DrainAsync(fixture, first.Sender);
        await CheckAsync(fixture, sink);
    }

    // Its place in the order is given before that of a later change which commits, and is sent, before it.
    private static async Task ChangeAsync(OutboxFixture fixture, int account, bool isUndone, Turn turn)
    {
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync(FlipSql, new { account = $"user-{account}" }, transaction);
        await fixture.Database.ExecuteAsync(OpenSql, new { account = Guid.NewGuid().ToString() });
        await turn.RunAsync();
        if (!isUndone)
            await transaction.CommitAsync(Token);
    }

    private static async Task DrainAsync(OutboxFixture fixture, EndpointSender sender)
    {
        for (var waiting = 1L; waiting > 0;)
        {
            fixture.Clock.Advance(TimeSpan.FromHours(2));
            await fixture.SendAsync(sender);
            waiting = await fixture.Database.ScalarAsync<long>("select count(*) from outbox_waiting");
        }
    }

    private static async Task CheckAsync(OutboxFixture fixture, SinkFixture sink)
    {
        var recorded = await fixture.Database.QueryAsync<(string Account, string Id)>(
            "select account_id, id::text from outbox order by account_id, seq");
        var taken = sink.Asked.Where(one => one.Status < 300).DistinctBy(one => one.Id).ToLookup(one => one.Account, one => one.Id);
        foreach (var account in recorded.GroupBy(one => one.Account, one => one.Id))
            Assert.Equal(account, taken[account.Key]);
        Assert.Equal(recorded.Select(one => one.Account).Distinct().Count(), taken.Count);
    }

    /// <summary>A replica that sends one round after the other.</summary>
    private sealed class Turn(EndpointSender sender) : IDisposable
    {
        private readonly SemaphoreSlim _turn = new(1, 1);

        public EndpointSender Sender => sender;

        public async Task RunAsync()
        {
            await _turn.WaitAsync(Token);
            try
            {
                await sender.RunAsync(Token);
            }
            finally
            {
                _turn.Release();
            }
        }

        public void Dispose() => _turn.Dispose();
    }
}
