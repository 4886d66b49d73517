using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Provisioning.Worker;

/// <summary>Events whose users are converged before the sender is answered. The clock stands still unless a test moves it.</summary>
public sealed class HintConvergerTests(PostgresFixture postgres)
{
    private const string NotFound = """{"error":"User not found"}""";

    private static readonly TimeSpan Within = TimeSpan.FromMilliseconds(250);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_user_gets_the_account_without_a_hint()
    {
        await using var bench = await StartAsync("ana");

        Assert.True(await bench.TakeAsync("ana"));

        Assert.Equal(["ana active"], await bench.AccountsAsync());
        Assert.False(await HasStoredHintsAsync(bench));
        Assert.Equal(["webhook"], await bench.Database.QueryAsync<string>("select source from user_credits"));
    }

    [Fact]
    public async Task Events_that_come_together_share_a_batch_and_two_of_one_user_grant_once()
    {
        await using var bench = await StartAsync("ana", "ben", "cem");
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bench.Server.On(PathOf("ana"), async context =>
        {
            asked.TrySetResult();
            await goOn.Task;
            await ScriptedKeycloak.Says(200, Json("ana"))(context);
        });
        var first = bench.TakeAsync("ana");
        await asked.Task.WaitAsync(Token);
        // These come while the first is read, so their users are read after it, ana's once more.
        var rest = Task.WhenAll(
            bench.TakeAsync("ben"), bench.TakeAsync("ana", cause: "UPDATE_PROFILE"), bench.TakeAsync("cem"), bench.TakeAsync("ana"));
        goOn.SetResult();

        Assert.True(await first);
        Assert.All(await rest, Assert.True);

        Assert.Equal(2, bench.Server.Targets.Count(target => target.Contains(PathOf("ana"), StringComparison.Ordinal)));
        Assert.Equal(
            ["ana 1", "ben 1", "cem 1"],
            await bench.Database.QueryAsync<string>(
                "select user_id || ' ' || count(*) from credit_transactions group by user_id order by user_id"));
        Assert.Equal(2, await bench.Database.ScalarAsync<int>("select count(distinct xmin::text)::int from user_credits"));
        Assert.False(await HasStoredHintsAsync(bench));
    }

    [Fact]
    public async Task A_user_that_Keycloak_does_not_show_yet_gets_a_hint()
    {
        await using var bench = await StartAsync();
        bench.Server.On(PathOf("ana"), ScriptedKeycloak.Says(404, NotFound), ScriptedKeycloak.Says(200, Json("ana")));

        Assert.False(await bench.TakeAsync("ana"));

        Assert.Equal(["ana waiting 0"], await bench.HintsAsync());
        await bench.WorkAsync();
        Assert.Equal(["ana active"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }

    [Fact]
    public async Task A_deleted_user_s_account_is_closed_without_a_hint_and_one_that_is_still_there_gets_a_hint()
    {
        await using var bench = await StartAsync("ana", "ben");
        Assert.True(await bench.TakeAsync("ana"));
        bench.Server.On(PathOf("ana"), ScriptedKeycloak.Says(404, NotFound));

        Assert.True(await bench.TakeAsync("ana", HintKind.Deleted, "USER-DELETE"));
        Assert.False(await bench.TakeAsync("ben", HintKind.Deleted, "USER-DELETE"));

        Assert.Equal(["ana closed"], await bench.AccountsAsync());
        Assert.Equal(["ben waiting 0"], await bench.HintsAsync());
    }

    [Fact]
    public async Task A_sender_waits_for_a_Keycloak_that_hangs_once_and_not_again_until_a_pause_is_over()
    {
        await using var bench = await StartAsync("ben");
        bench.Server.On(PathOf("ana"), ScriptedKeycloak.Hangs);
        var answer = bench.TakeAsync("ana");
        await Eventually.TrueAsync(() => bench.Server.Targets.Any(), "Keycloak is asked");
        Assert.False(answer.IsCompleted);

        bench.Clock.Advance(Within / 2);

        Assert.False(await answer);
        var asked = bench.Server.Targets.Count();
        Assert.False(await bench.TakeAsync("ben"));
        Assert.Equal(asked, bench.Server.Targets.Count());
        Assert.Equal(["ana waiting 0", "ben waiting 0"], await bench.HintsAsync());
        bench.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True(await bench.TakeAsync("ben"));
    }

    [Fact]
    public async Task A_sender_waits_no_longer_for_a_lock_than_for_Keycloak()
    {
        await using var bench = await StartAsync("ana", "ben");
        await using var connection = await bench.Database.DataSource.OpenConnectionAsync(Token);
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await using (var command = new NpgsqlCommand("lock table user_credits in share row exclusive mode", connection))
                await command.ExecuteNonQueryAsync(Token);
            var answer = bench.TakeAsync("ana");
            await Eventually.TrueAsync(() => bench.Database.WaitsAsync("hint_version)"), "the converging statement waits");

            bench.Clock.Advance(Within);

            Assert.False(await answer);
            Assert.False(await bench.TakeAsync("ben"));
            Assert.Equal(["ana waiting 0", "ben waiting 0"], await bench.HintsAsync());
            await transaction.RollbackAsync(Token);
        }

        await Eventually.TrueAsync(async () => (await bench.AccountsAsync()).Count == 1, "the statement goes on");
        await bench.WorkAsync();
        Assert.Equal(["ana active", "ben active"], await bench.AccountsAsync());
        Assert.Equal(10m, await bench.Database.ScalarAsync<decimal>("select sum(amount) from credit_transactions"));
        Assert.Empty(await bench.HintsAsync());
    }

    [Fact]
    public async Task A_reading_that_is_older_than_the_record_leaves_a_hint()
    {
        await using var bench = await StartAsync("ana");
        Assert.True(await bench.TakeAsync("ana"));
        // The clock of the replica that recorded it is ahead: what it read may be from before this event.
        await bench.Database.ExecuteAsync(
            "update keycloak_users set checked_at = @At", new { At = bench.Clock.GetUtcNow() + TimeSpan.FromSeconds(2) });
        bench.Server.On(PathOf("ana"), ScriptedKeycloak.Says(404, NotFound));

        Assert.False(await bench.TakeAsync("ana", HintKind.Deleted, "USER-DELETE"));

        Assert.Equal(["ana active"], await bench.AccountsAsync());
        Assert.Equal(["ana waiting 0"], await bench.HintsAsync());
        bench.Clock.Advance(TimeSpan.FromSeconds(3));
        await bench.WorkAsync();
        Assert.Equal(["ana closed"], await bench.AccountsAsync());
    }

    [Fact]
    public async Task A_user_whose_data_the_database_refuses_gets_a_hint_and_the_others_their_accounts()
    {
        await using var bench = await StartAsync("ana", "ben");
        await bench.Database.ExecuteAsync("alter table user_credits add constraint no_ben check (user_id <> 'ben')");

        var (ana, ben) = (bench.TakeAsync("ana"), bench.TakeAsync("ben"));
        Assert.True(await ana);
        Assert.False(await ben);

        Assert.Equal(["ana active"], await bench.AccountsAsync());
        Assert.Equal(["ben waiting 0"], await bench.HintsAsync());
    }

    [Theory]
    [InlineData("seen", "LOGIN", 250)]
    [InlineData("changed", HintCauses.Overwritten, 250)]
    [InlineData("changed", "REGISTER", 0)]
    public async Task Logins_overwritten_users_and_all_where_it_is_switched_off_are_stored_at_once(string kind, string cause, int within)
    {
        await using var bench = await WorkerFixture.StartAsync(
            postgres, new HintOptions { ConvergeWithin = TimeSpan.FromMilliseconds(within) });

        Assert.False(await bench.TakeAsync("ana", kind == "seen" ? HintKind.Seen : HintKind.Changed, cause));

        Assert.Empty(bench.Server.Requests);
        Assert.Equal(["ana waiting 0"], await bench.HintsAsync());
    }

    private static string PathOf(string user) => $"/admin/realms/shop/users/{user}";

    private static string Json(string user) => $$"""{"id":"{{user}}","username":"{{user}}","enabled":true}""";

    private static Task<bool> HasStoredHintsAsync(WorkerFixture bench) =>
        bench.Database.ScalarAsync<bool>("select is_called from user_hints_version");

    private async Task<WorkerFixture> StartAsync(params string[] users)
    {
        var bench = await WorkerFixture.StartAsync(postgres, new HintOptions { ConvergeWithin = Within });
        foreach (var user in users)
            bench.Server.On(PathOf(user), ScriptedKeycloak.Says(200, Json(user)));
        return bench;
    }
}
