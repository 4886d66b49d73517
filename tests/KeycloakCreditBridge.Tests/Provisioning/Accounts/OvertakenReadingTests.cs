using Dapper;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>Two readings of one user that are converged at the same time, each on a snapshot without the other.</summary>
public sealed class OvertakenReadingTests(PostgresFixture postgres)
{
    private const string LockAccountSql = "select from user_credits where keycloak_id = 'ana' for update";
    private const string LockRecordSql = "select from keycloak_users where keycloak_id = 'ana' for update";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_older_reading_that_waits_for_a_closing_does_not_leave_the_account_active()
    {
        await using var fixture = await StartAsync();
        await ConvergeAsync(fixture, Evaluate(fixture, enabled: false, second: 1));
        var closing = Policy(fixture).EvaluateDeleted(EmulatorFixture.Realm, "ana", Instant(3), HintSources.Reconciliation);

        await ConvergeInOrderAsync(fixture, LockAccountSql, closing, Evaluate(fixture, enabled: true, second: 2));

        await AssertIsAsync(fixture, "deleted closed");
    }

    [Fact]
    public async Task A_newer_reading_that_did_not_see_an_older_one_does_not_leave_its_hold()
    {
        await using var fixture = await StartAsync();

        await ConvergeInOrderAsync(
            fixture, LockRecordSql, Evaluate(fixture, enabled: false, second: 1), Evaluate(fixture, enabled: true, second: 2));

        await AssertIsAsync(fixture, "account active");
    }

    [Fact]
    public async Task Of_many_readings_at_once_the_newest_decides_whatever_the_order()
    {
        await using var fixture = await StartAsync();
        for (var round = 0; round < 8; round++)
        {
            var first = (round * 20) + 1;
            await Task.WhenAll(Enumerable.Range(first, 16).Select(second => Task.Run(
                () => ConvergeAsync(fixture, Evaluate(fixture, enabled: second % 3 > 0, second)))));
            await AssertIsAsync(fixture, (first + 15) % 3 > 0 ? "account active" : "held held");
        }
    }

    [Fact]
    public async Task Of_many_first_readings_at_once_one_opens_the_account_and_the_newest_decides()
    {
        await using var fixture = await StartAsync();
        for (var round = 1; round <= 8; round++)
        {
            await fixture.Database.ExecuteAsync(
                "delete from keycloak_users; delete from user_credits; delete from credit_transactions");
            var results = await Task.WhenAll(Enumerable.Range(1, 16).Select(second => Task.Run(
                () => ConvergeAsync(fixture, Evaluate(fixture, enabled: second % 2 > 0, second)))));
            Assert.Equal(1, results.Sum(result => result.Opened));
            await AssertIsAsync(fixture, "held held");
            Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from credit_transactions"));
        }
    }

    [Fact]
    public async Task Readings_one_after_the_other_leave_no_hint()
    {
        await using var fixture = await StartAsync();

        await ConvergeAsync(fixture, Evaluate(fixture, enabled: false, second: 1));
        await ConvergeAsync(fixture, Evaluate(fixture, enabled: true, second: 2));
        // An older reading that did not wait changes nothing and asks nothing.
        await ConvergeAsync(fixture, Evaluate(fixture, enabled: false, second: 1));

        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
        Assert.Equal("active", await fixture.Database.ScalarAsync<string>("select status from user_credits"));
    }

    // Both take their snapshot before either has what it waits for.
    private static async Task ConvergeInOrderAsync(ReconciliationFixture fixture, string lockSql, DesiredState first, DesiredState second)
    {
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var held = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync(lockSql);
        var firstEnds = ConvergeAsync(fixture, first);
        await Eventually.TrueAsync(async () => await fixture.Database.WaitingAsync() == 1, "the first one waits");
        var secondEnds = ConvergeAsync(fixture, second);
        await Eventually.TrueAsync(async () => await fixture.Database.WaitingAsync() == 2, "the second one waits");
        await held.RollbackAsync(Token);
        await Task.WhenAll(firstEnds, secondEnds);
    }

    private static async Task AssertIsAsync(ReconciliationFixture fixture, string expected)
    {
        Assert.Equal(
            expected,
            await fixture.Database.ScalarAsync<string>(
                "select k.user_state || ' ' || c.status from keycloak_users k join user_credits c on c.user_id = k.account_id"));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
    }

    private static Task<ConvergeResult> ConvergeAsync(ReconciliationFixture fixture, DesiredState state) =>
        fixture.Bridge.Services.GetRequiredService<Provisioner>().ConvergeAsync([state], Token);

    private static DesiredState Evaluate(ReconciliationFixture fixture, bool enabled, int second) => Policy(fixture).Evaluate(
        new Subject(EmulatorFixture.Realm, "ana", enabled, false, Instant(0)) { Username = "ana" }, Instant(second), HintSources.Webhook);

    // Later than the record, and earlier than what the worker reads.
    private static DateTimeOffset Instant(int second) => DateTimeOffset.UnixEpoch.AddSeconds(second);

    private static GrantPolicy Policy(ReconciliationFixture fixture) =>
        fixture.Bridge.Services.GetRequiredService<Hot<GrantPolicy>>().Current;

    private async Task<ReconciliationFixture> StartAsync()
    {
        var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("ana", "ana"));
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        await fixture.Database.ExecuteAsync("update keycloak_users set checked_at = '1970-01-01 00:00:00+00'");
        return fixture;
    }
}
