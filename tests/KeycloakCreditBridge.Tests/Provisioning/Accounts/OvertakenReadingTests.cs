using Dapper;
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
        fixture.Realm.RemoveUser("ana");
        var closing = Policy(fixture).EvaluateDeleted(EmulatorFixture.Realm, "ana", Instant(3), HintSources.Reconciliation);

        await ConvergeInOrderAsync(fixture, LockAccountSql, closing, Evaluate(fixture, enabled: true, second: 2));

        Assert.Equal(
            "deleted", await fixture.Database.ScalarAsync<string>("select user_state from keycloak_users where keycloak_id = 'ana'"));
        await AssertEndsAsAsync(fixture, "closed");
    }

    [Fact]
    public async Task A_newer_reading_that_did_not_see_an_older_one_does_not_leave_its_hold()
    {
        await using var fixture = await StartAsync();

        await ConvergeInOrderAsync(
            fixture, LockRecordSql, Evaluate(fixture, enabled: false, second: 1), Evaluate(fixture, enabled: true, second: 2));

        Assert.Equal(
            "account", await fixture.Database.ScalarAsync<string>("select user_state from keycloak_users where keycloak_id = 'ana'"));
        await AssertEndsAsAsync(fixture, "active");
    }

    [Theory]
    [InlineData("seen", "OVERTAKEN changed")]
    [InlineData("deleted", "OVERTAKEN deleted")]
    public async Task A_hint_that_waits_for_an_overtaken_user_says_so(string kind, string expected)
    {
        await using var fixture = await StartAsync();
        await fixture.Database.ExecuteAsync(
            "insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at) "
                + "values (@realm, 'ana', 1, 'webhook', 'LOGIN', @kind, now(), now() + interval '1 day')",
            new { realm = EmulatorFixture.Realm, kind });

        await ConvergeInOrderAsync(
            fixture, LockRecordSql, Evaluate(fixture, enabled: false, second: 1), Evaluate(fixture, enabled: true, second: 2));

        Assert.Equal(
            expected,
            await fixture.Database.ScalarAsync<string>("select cause || ' ' || kind from user_hints where due_at < now()"));
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

    private static async Task AssertEndsAsAsync(ReconciliationFixture fixture, string status)
    {
        await using var bridge = await fixture.NewBridge().StartAsync();
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                "select c.status = @status and not exists (select from user_hints) from user_credits c", new { status }),
            $"the account is {status}");
        await bridge.StopAsync();
    }

    private static Task<ConvergeResult> ConvergeAsync(ReconciliationFixture fixture, DesiredState state) =>
        fixture.Bridge.Services.GetRequiredService<Provisioner>().ConvergeAsync([state], Token);

    private static DesiredState Evaluate(ReconciliationFixture fixture, bool enabled, int second) => Policy(fixture).Evaluate(
        new Subject(EmulatorFixture.Realm, "ana", enabled, false, Instant(0)) { Username = "ana" }, Instant(second), HintSources.Webhook);

    // Later than the record, and earlier than what the worker reads.
    private static DateTimeOffset Instant(int second) => DateTimeOffset.UnixEpoch.AddSeconds(second);

    private static GrantPolicy Policy(ReconciliationFixture fixture) => fixture.Bridge.Services.GetRequiredService<GrantPolicy>();

    private async Task<ReconciliationFixture> StartAsync()
    {
        var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("ana", "ana"));
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        await fixture.Database.ExecuteAsync("update keycloak_users set checked_at = '1970-01-01 00:00:00+00'");
        return fixture;
    }
}
