using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Hints;

public sealed class HintStoreTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    private static readonly CancellationToken Token = CancellationToken.None;

    [Fact]
    public async Task Hints_of_one_user_are_one_row_with_the_latest_cause()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var writer = Writer(database);
        await writer.WriteAsync([Hint("ana", cause: "REGISTER"), Hint("ana", cause: "UPDATE_PROFILE")], Token);
        await writer.WriteAsync([Hint("ana", HintKind.Deleted, "USER-DELETE")], Token);
        Assert.Equal(["USER-DELETE deleted"], await database.QueryAsync<string>("select cause || ' ' || kind from user_hints"));
    }

    [Fact]
    public async Task A_login_that_arrives_late_does_not_hide_a_deletion()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var writer = Writer(database);
        await writer.WriteAsync([Hint("ana", HintKind.Deleted, "USER-DELETE")], Token);
        await writer.WriteAsync([Hint("ana", HintKind.Seen, "LOGIN")], Token);
        var claimed = Assert.Single(
            await new HintStore(database.DataSource).ClaimAsync(1, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow, null, Token));
        Assert.Equal((HintKind.Deleted, "USER-DELETE"), (claimed.Kind, claimed.Cause));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_change_that_arrives_late_does_not_hide_a_deletion(bool storedTogether)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var writer = Writer(database);
        UserHint[] hints =
        [
            Hint("ana", HintKind.Deleted, "USER-DELETE"), Hint("ana", cause: "USER-UPDATE"), Hint("ana", cause: "UPDATE_PROFILE"),
            Hint("ana", HintKind.Seen, "LOGIN"),
        ];
        foreach (var batch in hints.Chunk(storedTogether ? hints.Length : 1))
            await writer.WriteAsync(batch, Token);
        Assert.Equal(["REPORTED_DELETED changed"], await database.QueryAsync<string>("select cause || ' ' || kind from user_hints"));
    }

    [Theory]
    [InlineData("Changed")]
    [InlineData("Deleted")]
    public async Task A_later_event_does_not_hide_that_a_missing_user_is_a_deleted_one(string kind)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            "insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at) "
                + "values ('demo', 'ana', 1, 'first-read', 'FIRST_READ', 'changed', now(), now())");
        using var writer = Writer(database);
        await writer.WriteAsync([Hint("ana", Enum.Parse<HintKind>(kind), "USER-UPDATE")], Token);
        Assert.Equal([$"FIRST_READ {kind}"], await database.QueryAsync<string>("select cause || ' ' || initcap(kind) from user_hints"));
    }

    [Fact]
    public async Task A_change_that_is_stored_with_a_first_read_does_not_hide_it()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var writer = Writer(database);
        await writer.WriteAsync([Hint("ana", HintKind.Seen, HintCauses.FirstRead), Hint("ana", cause: "USER-UPDATE")], Token);
        Assert.Equal(["FIRST_READ changed"], await database.QueryAsync<string>("select cause || ' ' || kind from user_hints"));
    }

    [Fact]
    public async Task A_claimed_hint_is_taken_over_only_when_its_lease_ends()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new HintStore(database.DataSource);
        await store.AddAsync([Hint("ana")], Now, Now, null, Token);
        Assert.Single(await store.ClaimAsync(10, Now, Now + Lease, null, Token));
        Assert.Empty(await store.ClaimAsync(10, Now + Lease - TimeSpan.FromTicks(10), Now + (2 * Lease), null, Token));
        var takenOver = Assert.Single(await store.ClaimAsync(10, Now + Lease, Now + (2 * Lease), null, Token));
        Assert.Equal(2, takenOver.Attempts);
    }

    [Fact]
    public async Task Two_replicas_that_claim_at_once_share_the_hints_out()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new HintStore(database.DataSource);
        await store.AddAsync([.. Enumerable.Range(0, 400).Select(number => Hint($"user-{number}"))], Now, Now, null, Token);
        var claims = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => store.ClaimAsync(50, Now, Now + Lease, null, Token)));
        Assert.Equal(400, claims.SelectMany(claim => claim).Select(hint => hint.KeycloakId).Distinct().Count());
    }

    [Fact]
    public async Task A_worker_that_was_overtaken_postpones_nothing()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new HintStore(database.DataSource);
        await store.AddAsync([Hint("ana")], Now, Now, null, Token);
        var late = Assert.Single(await store.ClaimAsync(1, Now, Now + Lease, null, Token));
        await store.AddAsync([Hint("ana")], Now, Now, null, Token);
        await store.PostponeAsync([new PostponedHint(late, Now + TimeSpan.FromDays(1), 1, Dead: true, "late")], Token);
        Assert.Single(await store.ClaimAsync(1, Now, Now + Lease, null, Token));
    }

    [Fact]
    public async Task A_dead_hint_is_not_claimed_until_a_new_one_comes()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new HintStore(database.DataSource);
        await store.AddAsync([Hint("ana")], Now, Now, null, Token);
        var hint = Assert.Single(await store.ClaimAsync(1, Now, Now + Lease, null, Token));
        await store.PostponeAsync([new PostponedHint(hint, Now, 10, Dead: true, "cannot succeed")], Token);
        Assert.Empty(await store.ClaimAsync(1, Now + TimeSpan.FromDays(1), Now + TimeSpan.FromDays(2), null, Token));
        Assert.Equal(1, (await store.BacklogAsync(Token)).Dead);
        await store.AddAsync([Hint("ana")], Now, Now, null, Token);
        Assert.Equal(1, Assert.Single(await store.ClaimAsync(1, Now, Now + Lease, null, Token)).Attempts);
    }

    [Theory]
    [InlineData(-25, 1)]
    [InlineData(-23, 0)]
    public async Task A_known_user_that_is_merely_seen_is_re_evaluated_once_a_day(int checkedHoursAgo, int hints)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            "insert into keycloak_users (realm, keycloak_id, user_state, checked_at) values ('demo', 'ana', 'service_account', @At)",
            new { At = Now.AddHours(checkedHoursAgo) });
        var added = await new HintStore(database.DataSource).AddAsync([Hint("ana", HintKind.Seen)], Now, Now.AddDays(-1), null, Token);
        Assert.Equal(hints, added.Count);
    }

    [Theory]
    [InlineData("held", null, 1)]
    [InlineData("held", "account_id_taken", 0)]
    [InlineData("deleted", null, 1)]
    public async Task A_user_recorded_as_disabled_or_deleted_is_re_evaluated_when_seen(string state, string? reason, int hints)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            "insert into keycloak_users (realm, keycloak_id, account_id, user_state, reason, checked_at) values ('demo', 'ana', 'ana', "
                + "@State, @Reason, @At)",
            new { State = state, Reason = reason, At = Now.AddHours(-1) });
        var added = await new HintStore(database.DataSource).AddAsync([Hint("ana", HintKind.Seen)], Now, Now.AddDays(-1), null, Token);
        Assert.Equal(hints, added.Count);
    }

    [Fact]
    public async Task Hints_that_wait_at_the_same_time_share_a_commit()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var writer = Writer(database);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(number => Task.Run(() => writer.WriteAsync([Hint($"user-{number}")], Token))));
        Assert.Equal(200, await database.ScalarAsync<int>("select count(*)::int from user_hints"));
        Assert.InRange(await database.ScalarAsync<int>("select count(distinct xmin::text)::int from user_hints"), 1, 100);
    }

    [Fact]
    public async Task A_hint_that_the_database_refuses_fails_alone()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var writer = Writer(database);
        var refused = "nul-\0";
        var writes = Enumerable.Range(0, 64)
            .Select(number => Task.Run(() => writer.WriteAsync([Hint(number == 13 ? refused : $"user-{number}")], Token)))
            .ToArray();
        var error = await Assert.ThrowsAsync<PostgresException>(() => writes[13]);
        await Task.WhenAll(writes.Where(write => write != writes[13]));
        Assert.Equal("22021", error.SqlState);
        Assert.Equal(63, await database.ScalarAsync<int>("select count(*)::int from user_hints"));
    }

    [Fact]
    public async Task A_writer_fails_when_the_database_is_unreachable()
    {
        await using var server = await PostgresFixture.StartOwnAsync();
        await using var dataSource = NpgsqlDataSource.Create(server.ConnectionString("postgres"));
        await server.StopAsync(immediate: true);
        using var writer = new HintWriter(
            new HintStore(dataSource), new HintHandover(Options.Create(new HintOptions()), TimeProvider.System),
            new HintSignal(TimeProvider.System), Options.Create(new HintOptions()), TimeProvider.System);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => writer.WriteAsync([Hint("ana")], Token));
    }

    private static HintWriter Writer(TestDatabase database) => new(
        new HintStore(database.DataSource), new HintHandover(Options.Create(new HintOptions()), TimeProvider.System),
        new HintSignal(TimeProvider.System), Options.Create(new HintOptions()), TimeProvider.System);

    private static UserHint Hint(string user, HintKind kind = HintKind.Changed, string cause = "REGISTER") =>
        new("demo", user, kind, cause, HintSources.Webhook);
}
