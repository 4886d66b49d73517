using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>What has ended is booked out before an account loses its balance or opens again.</summary>
public sealed partial class EndedAccountTests(PostgresFixture postgres) : IDisposable
{
    private const string GiveSql =
        """
        with entry as (
            insert into credit_transactions (user_id, amount, transaction_type, grant_key, created_at)
            select user_id, 3, 'bonus', 'promo', updated_at + interval '1 microsecond' from user_credits where user_id = 'ana'),
        given as (
            insert into credit_grants (user_id, grant_key, amount, granted_at, expires_at)
            select user_id, 'promo', 3, updated_at + interval '1 microsecond', now() + @After from user_credits where user_id = 'ana')
        update user_credits set credits_remaining = credits_remaining + 3, next_expiry = now() + @After,
            updated_at = updated_at + interval '1 microsecond'
        where user_id = 'ana'
        """;

    private const string SpendAllSql =
        """
        with c as (
            update user_credits c set credits_remaining = 0, updated_at = c.updated_at + interval '1 microsecond'
            from user_credits o where o.user_id = c.user_id returning c.user_id, c.updated_at, o.credits_remaining)
        insert into credit_transactions (user_id, amount, transaction_type, created_at)
        select user_id, -credits_remaining, 'usage', updated_at from c
        """;

    private const string EndSql =
        """
        with g as (update credit_grants set expires_at = now() - interval '1 second')
        update user_credits set next_expiry = now() - interval '1 second'
        """;

    private readonly Meter _meter = new("tests");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_closing_that_forfeits_loses_only_what_has_not_ended()
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { DeletedUsers = DeletedUsers.Forfeit });
        await ConvergeAsync(fixture, fixture.Evaluate(User("ana")), fixture.Evaluate(User("ben")));
        await fixture.Database.ExecuteAsync(GiveSql, new { After = TimeSpan.FromSeconds(-1) });
        await ConvergeAsync(fixture, fixture.EvaluateDeleted("ana"), fixture.EvaluateDeleted("ben"));
        Assert.Equal(["ana closed deleted 0.00 of ana", "ben closed deleted 0.00 of ben"], await fixture.AccountsAsync());
        Assert.Equal(
            ["ana signup 5.00 initial_allocation", "ana promo 3.00", "ana expire:promo -3.00 expired",
                "ana forfeit:closed -5.00 account_closed",
                "ben signup 5.00 initial_allocation", "ben forfeit:closed -5.00 account_closed"],
            await LedgerAsync(fixture));
        Assert.Equal("expired", await fixture.Database.ScalarAsync<string>("select close_reason from credit_grants"));
    }

    [Fact]
    public async Task A_closing_that_forfeits_closes_spent_grants_so_that_no_refund_renews_them()
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { DeletedUsers = DeletedUsers.Forfeit });
        await ConvergeAsync(fixture, fixture.Evaluate(User("ana")), fixture.Evaluate(User("ben")));
        await fixture.Database.ExecuteAsync(GiveSql, new { After = TimeSpan.FromDays(1) });
        await fixture.Database.ExecuteAsync(SpendAllSql);
        foreach (var _ in (string[])["once", "again"])
            await ConvergeAsync(fixture, fixture.EvaluateDeleted("ana"), fixture.EvaluateDeleted("ben"));
        Assert.Equal("account_closed", await fixture.Database.ScalarAsync<string>("select close_reason from credit_grants"));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(next_expiry)::int from user_credits"));
        await ConvergeAsync(fixture, fixture.Evaluate(User("ana")), fixture.Evaluate(User("ben")));
        var credits = new CreditChangeStore(fixture.Database.DataSource, EndsOf(fixture), Options.Create(new ProvisioningOptions()));
        foreach (var (id, amount) in ((string, decimal)[])[("ana", 8m), ("ben", 5m)])
        {
            var refund = new CreditChange(new AccountSelector(Realm, id, IsOwn: false, []), amount, "refund", "{}", "caller", null, []);
            Assert.NotNull((await credits.TryWriteAsync(refund, DateTimeOffset.UtcNow, Token)).Answer);
        }

        Assert.Equal(["ana active 0.00 of ana", "ben active 0.00 of ben"], await fixture.AccountsAsync());
        Assert.Equal(
            ["ana signup 5.00 initial_allocation", "ana promo 3.00", "ana -8.00", "ana forfeit:closed 0.00 account_closed",
                "ana 8.00", "ana closed:promo -3.00 lot_closed", "ana closed:signup -5.00 lot_closed",
                "ben signup 5.00 initial_allocation", "ben -5.00", "ben forfeit:closed 0.00 account_closed",
                "ben 5.00", "ben closed:signup -5.00 lot_closed"],
            await LedgerAsync(fixture));
    }

    [Fact]
    public async Task A_closed_account_is_left_by_the_sweep_and_has_lost_what_ended_when_it_opens_again()
    {
        await using var fixture = await StartAsync(postgres);
        await ConvergeAsync(fixture, fixture.Evaluate(User("ana")));
        await fixture.Database.ExecuteAsync(GiveSql, new { After = TimeSpan.FromDays(1) });
        await ConvergeAsync(fixture, fixture.EvaluateDeleted("ana"));
        await fixture.Database.ExecuteAsync(EndSql);
        Assert.Equal(0, await BookingOf(fixture).SettleNextAsync(10, Token));
        await ConvergeAsync(fixture, fixture.Evaluate(User("ana")));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["credit.create", "credit.close", "credit.expired", "credit.reopen"], await fixture.AuditAsync("ana"));
    }

    [Fact]
    public async Task An_account_that_another_user_inherits_has_lost_what_ended()
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { AccountId = "{email}" });
        await ConvergeAsync(fixture, fixture.Evaluate(User("first", "ana")));
        await fixture.Database.ExecuteAsync(GiveSql, new { After = TimeSpan.FromDays(1) });
        await ConvergeAsync(fixture, fixture.EvaluateDeleted("first"));
        await fixture.Database.ExecuteAsync(EndSql);
        await ConvergeAsync(fixture, fixture.Evaluate(User("second", "ana")));
        Assert.Equal(["ana active 5.00 of second"], await fixture.AccountsAsync());
        Assert.Contains("ana expire:promo -3.00 expired", await fixture.LedgerAsync());
    }

    public void Dispose() => _meter.Dispose();

    private LotBooking BookingOf(AccountFixture fixture) =>
        new(fixture.Database.DataSource, new GrantClock(), new GrantsMetrics(_meter), TimeProvider.System);

    // Each closing has its time in its key.
    private static async Task<IEnumerable<string>> LedgerAsync(AccountFixture fixture) =>
        (await fixture.LedgerAsync()).Select(row => Time().Replace(row, ""));

    [GeneratedRegex(":[0-9]{4}-[0-9T:.-]+")]
    private static partial Regex Time();

    private GrantEnds EndsOf(AccountFixture fixture)
    {
        var options = Options.Create(new GrantsOptions());
        return new GrantEnds(options, new GrantClock(), BookingOf(fixture), new LotsInUse(fixture.Database.DataSource, options));
    }

    private async Task ConvergeAsync(AccountFixture fixture, params DesiredState[] states)
    {
        var source = fixture.Database.DataSource;
        var result = await new Provisioner(
            new AccountStore(source, EndsOf(fixture)), new RenameStore(source), NewMetrics(), TimeProvider.System,
            NullLogger<Provisioner>.Instance)
            .ConvergeAsync(states, Token);
        Assert.Empty(result.Refusals);
    }
}
