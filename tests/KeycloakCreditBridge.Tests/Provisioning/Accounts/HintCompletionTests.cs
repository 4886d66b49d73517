using Dapper;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

public sealed class HintCompletionTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // PostgreSQL locks rows that were due when a claim began, though they are another's by the time it comes to them.
    [Fact]
    public async Task A_hint_locked_for_a_moment_by_another_claim_is_completed_with_its_account()
    {
        await using var fixture = await AccountFixture.StartAsync(postgres);
        var hints = new HintStore(fixture.Database.DataSource);
        await hints
            .AddAsync(
                [new UserHint(AccountFixture.Realm, "ana", HintKind.Changed, "REGISTER", HintSources.Webhook)], AccountFixture.Start,
                    AccountFixture.Start, null, Token);
        var claimed = Assert.Single(await hints.ClaimAsync(10, AccountFixture.Start, AccountFixture.Start.AddMinutes(1), null, Token));
        await using var other = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await other.BeginTransactionAsync(Token);
        await other.ExecuteAsync("select from user_hints for update");

        var converging = fixture.ConvergeAsync(fixture.Evaluate(AccountFixture.User("ana")) with { HintVersion = claimed.Version });
        await Eventually.TrueAsync(
            async () => converging.IsCompleted || await fixture.Database.WaitsAsync(), "it waits for the row, or is done without it");
        await transaction.RollbackAsync(Token);
        Assert.Equal(1, (await converging).Opened);

        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
    }
}
