using System.Net;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

/// <summary>An account stays locked for longer than a statement waits, as while a user with a large ledger is renamed.</summary>
public sealed class LockedAccountTests(PostgresFixture postgres)
{
    private const string AddSql =
        "insert into usage_batches (body, received_at, due_at) values (convert_to(@Body, 'UTF8'), now() - interval '3 days', now())";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(2, "0")]
    [InlineData(15, "500ms")]
    public async Task Its_usage_is_charged_once_after_the_lock_and_holds_up_no_other(int commandTimeout, string lockTimeout)
    {
        await using var fixture = await StartAsync(commandTimeout, lockTimeout);
        var (ana, bob) = (await fixture.AddUserAsync("ana"), await fixture.AddUserAsync("bob"));
        await using var other = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using (await LockAsync(other, ana))
        {
            var report = new JsonArray(Record("r1", ana, 1m), Record("r2", bob, 1m)).ToJsonString();
            Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", report)).Status);
            await Eventually.TrueAsync(
                async () => (await fixture.ChargesAsync(bob)).Count == 1
                    && await fixture.Database.ScalarAsync<bool>("select exists (select from usage_batches where attempts > 1)"),
                "the free account is charged and the locked one is postponed");
            Assert.Equal(0, await fixture.RefusalsAsync());
        }

        await fixture.ProcessedAsync();
        Assert.Equal([1m], await fixture.ChargesAsync(ana));
        Assert.Equal((4m, 4m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
        Assert.Equal(0, await fixture.RefusalsAsync());
    }

    [Fact]
    public async Task Usage_that_meets_a_lock_after_three_days_is_kept_as_refused()
    {
        await using var fixture = await StartAsync(commandTimeout: 2, lockTimeout: "0");
        var ana = await fixture.AddUserAsync("ana");
        await using var other = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using (await LockAsync(other, ana))
        {
            await fixture.Database.ExecuteAsync(AddSql, new { Body = new JsonArray(Record("r1", ana, 1m)).ToJsonString() });
            await fixture.ProcessedAsync();
        }

        Assert.Equal(1, await fixture.RefusalsAsync());
        Assert.Empty(await fixture.ChargesAsync(ana));
    }

    private async Task<MeteringFixture> StartAsync(int commandTimeout, string lockTimeout)
    {
        var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync($"alter database \"{database.Name}\" set lock_timeout = '{lockTimeout}'");
        return await MeteringFixture.StartAsync(
            database, ("Storage:ConnectionString", $"{database.ConnectionString};Command Timeout={commandTimeout}"));
    }

    // Until the transaction is disposed of.
    private static async Task<NpgsqlTransaction> LockAsync(NpgsqlConnection connection, string userId)
    {
        var transaction = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("select from user_credits where user_id = @userId for update", new { userId });
        return transaction;
    }
}
