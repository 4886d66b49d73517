using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Tests.Grants.Lots;
using KeycloakCreditBridge.Tests.Grants.Booking;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Notices;

public sealed class GrantNoticesTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_grant_is_told_of_seven_days_and_one_day_before_its_end_once_whichever_replica_does_it()
    {
        await using var told = await StoryAsync();
        await told.GrantAsync("ana", 5m, ends: 10);
        await told.GrantAsync("bob", 5m, ends: null);
        Assert.Empty(await told.OnDayAsync(2));
        Assert.Equal(["ana 7 5"], await told.OnDayAsync(3));
        Assert.Equal(["ana 7 5"], await told.OnDayAsync(3));
        await told.DoAsync("ana", new ModelRow.Debit(0, "u1", 2m));
        Assert.Equal(["ana 7 5"], await told.OnDayAsync(8));
        Assert.Equal(["ana 7 5", "ana 1 3"], await told.OnDayAsync(9));
        Assert.Equal(["ana 7 5", "ana 1 3"], await told.OnDayAsync(11));
    }

    [Fact]
    public async Task A_short_grant_is_told_of_once_and_a_spent_one_or_a_trifle_never()
    {
        await using var told = await StoryAsync();
        await told.GrantAsync("short", 5m, ends: 1);
        await told.GrantAsync("spent", 2m, ends: 6);
        await told.DoAsync("spent", new ModelRow.Debit(0, "u1", 2m));
        await told.GrantAsync("trifle", 0.009999m, ends: 6);
        Assert.Equal(["short 1 5"], await told.OnDayAsync(0));
        Assert.Equal(["short 1 5"], await told.OnDayAsync(5));
    }

    [Fact]
    public async Task A_moved_end_is_told_of_again_and_a_closed_account_is_not()
    {
        await using var told = await StoryAsync();
        await told.GrantAsync("ana", 5m, ends: 10);
        await told.GrantAsync("closed", 5m, ends: 10);
        await told.Fixture.Database.ExecuteAsync("update user_credits set status = 'closed' where user_id = 'closed'");
        Assert.Equal(["ana 7 5"], await told.OnDayAsync(4));
        await told.ExtendAsync("ana", day: 20);
        Assert.Equal(["ana 7 5"], await told.OnDayAsync(12));
        Assert.Equal(["ana 7 5", "ana 7 5"], await told.OnDayAsync(14));
    }

    [Fact]
    public async Task Other_days_may_be_chosen_at_any_time_and_none_at_all()
    {
        await using var told = await StoryAsync(("Grants:NoticeDays", "30, 3"));
        await told.GrantAsync("ana", 5m, ends: 20);
        Assert.Equal(["ana 30 5"], await told.OnDayAsync(0));
        Assert.Equal(["ana 30 5", "ana 3 5"], await told.OnDayAsync(17));
        await using var silent = await StoryAsync(("Grants:NoticeDays", ""));
        await silent.GrantAsync("ana", 5m, ends: 2);
        Assert.Empty(await silent.OnDayAsync(1));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("366")]
    [InlineData("7,")]
    [InlineData("7 1")]
    [InlineData("1.5")]
    [InlineData("seven")]
    public void Days_that_are_none_stop_the_start(string days)
    {
        var problems = new GrantsOptionsValidator().Validate(null, new GrantsOptions { NoticeDays = days }).Failures;
        Assert.StartsWith("Grants:NoticeDays is '", Assert.Single(problems!), StringComparison.Ordinal);
    }

    private async Task<Story> StoryAsync(params (string Key, string? Value)[] more)
    {
        var fixture = await ReplicaPairFixture.StartAsync(postgres, more);
        await fixture.AddAsync(["ana", "bob", "short", "spent", "trifle", "closed"]);
        return new Story(fixture);
    }

    private sealed class Story(ReplicaPairFixture fixture) : IAsyncDisposable
    {
        private readonly DateTimeOffset _start = fixture.Clock.GetUtcNow();
        private readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);

        public ReplicaPairFixture Fixture => fixture;

        public Task GrantAsync(string account, decimal amount, long? ends) =>
            DoAsync(account, new ModelRow.Grant(0, account, amount, ends));

        public async Task DoAsync(string account, ModelRow row) => Assert.True(await fixture.ApplyAsync(0, account, row, _start, _ids));

        public Task ExtendAsync(string account, long day) => fixture.ExtendAsync(account, _ids[account], _start.AddDays(day));

        public Task<IReadOnlyList<string>> OnDayAsync(long day)
        {
            fixture.Clock.SetUtcNow(_start.AddDays(day));
            return fixture.NoticesAsync();
        }

        public ValueTask DisposeAsync() => fixture.DisposeAsync();
    }
}
