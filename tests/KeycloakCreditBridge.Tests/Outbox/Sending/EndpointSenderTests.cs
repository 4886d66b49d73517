using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Outbox.Sending;

/// <summary>Every event is taken at least once, those of an account in their order, however the endpoint behaves.</summary>
public sealed class EndpointSenderTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task Events_are_sent_once_and_those_of_an_account_in_their_order(int batch)
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync(count: 20);
        for (var number = 1; number <= 5; number++)
            await fixture.Database.ExecuteAsync("update user_credits set tier = @tier", new { tier = $"t{number}" });
        await fixture.SendAsync(fixture.Sender(sink, batch));
        await fixture.SendAsync(fixture.Sender(sink, batch));

        Assert.Equal(120, sink.Asked.Count);
        foreach (var account in sink.Asked.GroupBy(one => one.Account))
        {
            Assert.Equal(
                await fixture.Database.QueryAsync<string>(
                    "select id::text from outbox where account_id = @Key order by seq", new { account.Key }),
                account.Select(one => one.Id));
        }
    }

    [Fact]
    public async Task A_new_endpoint_gets_what_happens_from_then_on_and_only_the_types_it_chose()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync();
        var sender = fixture.Sender(sink, types: "credits.low");
        await fixture.SendAsync(sender);
        Assert.Empty(sink.Asked);
        await fixture.TakeAsync(4m);
        await fixture.TakeAsync(1m);
        await fixture.SendAsync(sender);
        Assert.Equal(["user-1 credits.low"], sink.Taken);
    }

    [Fact]
    public async Task A_process_that_is_killed_before_it_kept_the_answer_has_the_event_sent_again_under_its_id()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync();
        using var killed = new CancellationTokenSource();
        sink.Answer = async (_, _) =>
        {
            await killed.CancelAsync();
            return 204;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            var sender = fixture.Sender(sink);
            while (true)
                await sender.RunAsync(killed.Token);
        });
        sink.Answer = (_, _) => Task.FromResult(204);
        await fixture.SendAsync(fixture.Sender(sink));
        await Eventually.TrueAsync(() => sink.Asked.Count == 2, "both requests are answered");
        Assert.Single(sink.Asked.Select(one => one.WebhookId).Distinct());
    }

    [Fact]
    public async Task An_event_that_is_not_taken_holds_back_its_account_alone()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync(count: 3);
        sink.Answer = (one, _) => Task.FromResult(one.Account == "user-2" && one.Type == "credits.low" ? 500 : 204);
        foreach (var account in (string[])["user-1", "user-2", "user-3"])
        {
            await fixture.TakeAsync(4m, account);
            await fixture.TakeAsync(1m, account);
        }

        var sender = fixture.Sender(sink);
        await fixture.SendAsync(sender);
        Assert.DoesNotContain("user-2 credits.exhausted", sink.Taken);
        Assert.Equal(2, sink.Taken.Count(one => one.EndsWith("credits.exhausted", StringComparison.Ordinal)));

        // What happens meanwhile waits behind it too, and all comes in order once it is taken.
        await fixture.Database.ExecuteAsync("update user_credits set status = 'held'");
        await fixture.SendAsync(sender);
        Assert.DoesNotContain("user-2 credits.account.held", sink.Taken);
        sink.Answer = (_, _) => Task.FromResult(204);
        fixture.Clock.Advance(TimeSpan.FromHours(1));
        await fixture.SendAsync(sender);
        foreach (var account in (string[])["user-1", "user-2", "user-3"])
        {
            Assert.Equal(
                [$"{account} credits.account.opened", $"{account} credits.low", $"{account} credits.exhausted",
                    $"{account} credits.account.held"],
                sink.Taken.Where(one => one.StartsWith(account, StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task An_endpoint_that_is_away_is_asked_by_a_few_requests_and_gets_everything_when_it_is_back()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync(count: 50);
        sink.Answer = (_, _) => Task.FromResult(503);
        var sender = fixture.Sender(sink);
        await fixture.SendAsync(sender);
        // Eight lanes may each have one on the way when the fifth fails.
        Assert.InRange(sink.Asked.Count, 5, 13);
        var state = await fixture.StateAsync();
        Assert.Equal((0, "answered 503"), (state.Position, state.Error));
        Assert.NotNull(state.FailingSince);
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>("select count(*) from outbox_waiting"));

        sink.Answer = (_, _) => Task.FromResult(204);
        await fixture.SendAsync(sender);
        Assert.Equal(50, sink.Taken.Distinct().Count());
        state = await fixture.StateAsync();
        Assert.Equal((null, null), (state.FailingSince, state.Error));
        Assert.NotNull(state.SucceededAt);
    }

    [Fact]
    public async Task An_event_that_is_not_taken_for_three_days_is_given_up_and_its_account_goes_on()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync(count: 2);
        await fixture.TakeAsync(4m);
        sink.Answer = (one, _) => Task.FromResult(one.Account == "user-1" && one.Type == "credits.account.opened" ? 422 : 204);
        var sender = fixture.Sender(sink);
        await fixture.SendAsync(sender);
        for (var day = 1; day <= 4; day++)
        {
            fixture.Clock.Advance(TimeSpan.FromDays(1));
            await fixture.SendAsync(sender);
        }

        await fixture.SendAsync(sender);
        Assert.Equal(["user-2 credits.account.opened", "user-1 credits.low"], sink.Taken);
        Assert.Equal(
            "answered 422", await fixture.Database.ScalarAsync<string>("select error from outbox_waiting where given_up_at is not null"));

        sink.Answer = (_, _) => Task.FromResult(204);
        await fixture.SendAsync(sender);
        Assert.Equal(2, sink.Taken.Count());
        Assert.NotNull(await fixture.Replays.ReplayAsync(OutboxFixture.Sink, null, Token));
        await fixture.SendAsync(sender);
        Assert.Equal("user-1 credits.account.opened", sink.Taken.Last());
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>("select count(*) from outbox_waiting"));
    }

    [Fact]
    public async Task An_endpoint_that_fails_for_five_days_is_disabled_and_a_replay_sends_what_it_missed()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync(count: 2);
        sink.Answer = (_, _) => Task.FromResult(500);
        var sender = fixture.Sender(sink);
        await fixture.SendAsync(sender);
        fixture.Clock.Advance(TimeSpan.FromDays(4));
        await fixture.SendAsync(sender);
        var state = await fixture.StateAsync();
        Assert.Null(state.DisabledAt);
        // Given up after three days, in one step.
        Assert.Equal(2, state.Position);
        await fixture.Database.ExecuteAsync("insert into user_credits (user_id) values ('user-3')");
        fixture.Clock.Advance(TimeSpan.FromDays(2));
        await fixture.SendAsync(sender);
        Assert.NotNull((await fixture.StateAsync()).DisabledAt);
        sink.Answer = (_, _) => Task.FromResult(204);
        Assert.Equal(3, await fixture.Replays.ReplayAsync(OutboxFixture.Sink, fixture.Clock.GetUtcNow().AddDays(-7), Token));
        await fixture.SendAsync(sender);
        Assert.Equal(
            ["user-1 credits.account.opened", "user-2 credits.account.opened", "user-3 credits.account.opened"], sink.Taken.Order());
        Assert.Null((await fixture.StateAsync()).DisabledAt);
    }

    [Fact]
    public async Task An_endpoint_that_answers_410_is_disabled_at_once()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync();
        sink.Answer = (_, _) => Task.FromResult(410);
        var sender = fixture.Sender(sink);
        await fixture.SendAsync(sender);
        await fixture.SendAsync(sender);
        Assert.Single(sink.Asked);
        var standing = Assert.Single(await fixture.Replays.ListAsync([OutboxFixture.Sink], Token));
        Assert.Equal("answered 410, which asks for no more events", standing.Error);
        Assert.NotNull(standing.DisabledAt);
        Assert.NotNull(standing.Oldest);
    }

    [Fact]
    public async Task An_operator_s_replay_wins_over_a_round_that_is_under_way()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync();
        var sender = fixture.Sender(sink);
        await fixture.SendAsync(sender);
        await fixture.TakeAsync(4m);
        sink.Answer = async (_, _) =>
        {
            sink.Answer = (_, _) => Task.FromResult(204);
            await fixture.Replays.ReplayAsync(OutboxFixture.Sink, fixture.Clock.GetUtcNow().AddDays(-1), Token);
            return 204;
        };
        await fixture.SendAsync(sender);
        Assert.Equal(
            ["user-1 credits.account.opened", "user-1 credits.low", "user-1 credits.account.opened", "user-1 credits.low"], sink.Taken);
        Assert.Equal((2, null), ((await fixture.StateAsync()).Position, (await fixture.StateAsync()).Error));
    }

    [Fact]
    public async Task Events_that_are_deleted_do_not_wait()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        await fixture.OpenAsync(count: 2);
        sink.Answer = (one, _) => Task.FromResult(one.Account == "user-1" ? 400 : 204);
        await fixture.SendAsync(fixture.Sender(sink));
        Assert.Equal(1, await fixture.Database.ScalarAsync<long>("select count(*) from outbox_waiting"));
        Assert.Equal(2, await fixture.Store.PurgeAsync(TimeProvider.System.GetUtcNow().AddDays(1), 10, Token));
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>("select count(*) from outbox_waiting"));
    }
}
