using System.Net;
using Dapper;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Credits.Lookup;

/// <summary>First reads, hints and deletions that overtake each other: triggers hold a write until the test lets it go.</summary>
public sealed class FirstReadRaceTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string TriggersSql =
        """
        create function hold_account() returns trigger language plpgsql as $$
        begin
            perform pg_advisory_xact_lock_shared(hashtext(new.status));
            return new;
        end $$;
        create function hold_record() returns trigger language plpgsql as $$
        begin
            perform pg_advisory_xact_lock_shared(hashtext(new.user_state));
            return new;
        end $$;
        create trigger hold_account before insert on user_credits for each row execute function hold_account();
        create trigger hold_record before insert on keycloak_users for each row execute function hold_record();
        """;

    private const string WaitsSql =
        """
        select exists (
            select from pg_locks l join pg_database d on d.oid = l.database
            where d.datname = current_database() and l.locktype = 'advisory' and not l.granted
                and l.objid::bigint = hashtext(@write)::bigint & 4294967295)
        """;

    private CreditsFixture _fixture = null!;
    private NpgsqlConnection _holder = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _holder.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Theory]
    [InlineData("active", "held", "Hold")]
    [InlineData("held", "active", "Hold")]
    [InlineData("active", "excluded", "Exclude")]
    [InlineData("excluded", "active", "Exclude")]
    public async Task A_token_of_a_disabled_user_leaves_no_active_account_whichever_write_comes_first(
        string first, string second, string disabledUsers)
    {
        await StartAsync(("Provisioning:DisabledUsers", disabledUsers));
        var user = AddUser(enabled: false);
        await ReadBetweenAsync(first, second, () => _fixture.GetAsync(CreditsFixture.Balance, _fixture.TokenOf(user)), async () =>
        {
            if (!await ExistsAsync("user_hints"))
                await HintAsync(user, HintKind.Changed);
        });
        await EndsAsync("held");
    }

    [Theory]
    [InlineData("active", "held")]
    [InlineData("held", "active")]
    public async Task A_user_disabled_while_a_service_reads_the_balance_first_is_held_whichever_write_comes_first(string first,
        string second)
    {
        await StartAsync();
        var user = AddUser(enabled: true);
        var token = _fixture.TokenOf("s1", CreditsFixture.Service);
        var answer = await ReadBetweenAsync(
            first, second, () => _fixture.GetAsync($"{CreditsFixture.Balance}?user_id={user}", token), () =>
            {
                _fixture.Keycloak.Realm(CreditsFixture.Realm).ChangeUser(user, found => found with { Enabled = false });
                return HintAsync(user, HintKind.Changed);
            });
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        await EndsAsync("held");
    }

    [Fact]
    public async Task A_user_deleted_while_a_service_reads_the_balance_first_gets_no_account()
    {
        await StartAsync();
        var user = AddUser(enabled: true);
        await HoldAsync("active");
        var read = _fixture.GetAsync($"{CreditsFixture.Balance}?user_id={user}", _fixture.TokenOf("s1", CreditsFixture.Service));
        await WaitingAsync("active");
        _fixture.Keycloak.Realm(CreditsFixture.Realm).RemoveUser(user);
        await HintAsync(user, HintKind.Deleted);
        await Eventually.TrueAsync(async () => !await ExistsAsync("user_hints"), "the deletion is evaluated");
        await ReleaseAsync("active");
        Assert.Equal(HttpStatusCode.NotFound, (await read).Status);
        Assert.False(await ExistsAsync("user_credits"));
    }

    [Fact]
    public async Task The_token_of_a_deleted_user_opens_no_account_that_outlives_the_first_answer_of_Keycloak()
    {
        await StartAsync();
        Assert.Equal("active",
            (await _fixture.GetAsync(CreditsFixture.Balance, _fixture.Sign(_fixture.Claims("deleted-long-ago"))))["status"]);
        await EndsAsync("closed");
    }

    [Fact]
    public async Task A_deletion_evaluated_between_a_token_and_its_account_opens_none()
    {
        await StartAsync();
        await HoldAsync("active");
        var read = _fixture.GetAsync(CreditsFixture.Balance, _fixture.Sign(_fixture.Claims("deleted-just-now")));
        await WaitingAsync("active");
        await HintAsync("deleted-just-now", HintKind.Deleted);
        await Eventually.TrueAsync(async () => !await ExistsAsync("user_hints"), "the deletion is evaluated");
        await ReleaseAsync("active");
        Assert.Equal(HttpStatusCode.NotFound, (await read).Status);
        Assert.False(await ExistsAsync("user_credits"));
    }

    private async Task StartAsync(params (string Key, string? Value)[] settings)
    {
        _fixture = await CreditsFixture.StartAsync(postgres, settings);
        await _fixture.Database.ExecuteAsync(TriggersSql);
        _holder = await _fixture.Database.DataSource.OpenConnectionAsync(Token);
    }

    private string AddUser(bool enabled)
    {
        var user = new EmulatedUser(EmulatedUser.NewId(), $"user-{Guid.NewGuid():n}") { Enabled = enabled };
        _fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        return user.Id;
    }

    /// <summary>A first read whose write and the one after <paramref name="change"/> end in this order.</summary>
    private async Task<ApiReply> ReadBetweenAsync(string first, string second, Func<Task<ApiReply>> read, Func<Task> change)
    {
        await HoldAsync(first, second);
        var answer = read();
        await WaitingAsync("active");
        await change();
        await WaitingAsync(first, second);
        await ReleaseAsync(first);
        await Eventually.TrueAsync(() => ExistsAsync("keycloak_users"), "the first write is done");
        await ReleaseAsync(second);
        return await answer;
    }

    private Task HintAsync(string user, HintKind kind) => _fixture.Bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
        [new UserHint(CreditsFixture.Realm, user, kind, "TEST", HintSources.Webhook)], Token);

    private async Task HoldAsync(params string[] writes)
    {
        foreach (var write in writes)
            await LockAsync(write, release: false);
    }

    private Task<int> ReleaseAsync(string write) => LockAsync(write, release: true);

    private Task<int> LockAsync(string write, bool release) => _holder.ExecuteAsync(
        release ? "select pg_advisory_unlock(hashtext(@Write))" : "select pg_advisory_lock(hashtext(@Write))", new { Write = write });

    private async Task WaitingAsync(params string[] writes)
    {
        foreach (var write in writes)
            await Eventually.TrueAsync(() => _fixture.Database.ScalarAsync<bool>(WaitsSql, new { write }), $"the write of {write} waits");
    }

    private Task<bool> ExistsAsync(string table) => _fixture.Database.ScalarAsync<bool>($"select exists (select from {table})");

    // No hint is left, so that nothing but a complete reading would change the account again.
    private Task EndsAsync(string status) => Eventually.TrueAsync(
        () => _fixture.Database.ScalarAsync<bool>(
            """
            select not exists (select from user_hints) and not exists (select from user_credits where status <> @status)
                and exists (select from keycloak_users)
            """,
            new { status }),
        $"the account is {status}");
}
