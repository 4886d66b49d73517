using Dapper;
using KeycloakCreditBridge.Adoption;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Adoption;

/// <summary>Other writers lock accounts in an order of their own.</summary>
public sealed class AdoptionConflictTests(PostgresFixture postgres)
{
    private const string LockSql = "select 1 from user_credits where user_id = @Id for update";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_batch_that_PostgreSQL_undoes_for_a_deadlock_is_adopted_all_the_same()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        foreach (var id in (string[])["p0", "p1"])
        {
            fixture.AddUser(id);
            await fixture.Database.OpenAsync(id, 5m, openings: 2);
        }

        await fixture.Database.MigrateAsync();
        // A session looks for a deadlock once, which has to be after the other one waits too; the other one does not look.
        await using var bridge = fixture.NewBridge(
            ("Storage:ConnectionString", $"{fixture.Database.ConnectionString};Options=-c deadlock_timeout=8s"));
        await using var other = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        Task<AdoptionReport> adopting;
        await using (var transaction = await other.BeginTransactionAsync(Token))
        {
            await other.ExecuteAsync("set local deadlock_timeout = '1h'");
            await other.ExecuteAsync(LockSql, new { Id = "p1" });
            adopting = bridge.Services.GetRequiredService<Adopter>().ApplyAsync(
                new AdoptionOptions(TrustAddresses: false, Examples: 5, BatchSize: 2), new Progress<long>(), Token);
            await Eventually.TrueAsync(
                () => fixture.Database.WaitsAsync("adopting_members"), "the batch has one account and waits for the other");
            await other.ExecuteAsync(LockSql, new { Id = "p0" });
        }

        var report = await adopting;

        Assert.Equal((2, 0), (report.Done, report.Skipped));
        Assert.Equal(["p0 5.00 of p0", "p1 5.00 of p1"], await fixture.AccountsAsync());
        await fixture.AssertBooksAsync();
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select deadlocks = 1 from pg_stat_database where datname = current_database()"),
            "it was a deadlock");
    }
}
