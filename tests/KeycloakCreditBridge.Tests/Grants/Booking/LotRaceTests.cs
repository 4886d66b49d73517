using System.Net;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Grants.Booking;

/// <summary>Charges, refunds, voids, ends and sweeps of one account at once, on two replicas.</summary>
public sealed class LotRaceTests(PostgresFixture postgres) : EndingAccount(postgres)
{
    private const int Rounds = 12;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_meets_both_sums_hold_and_nothing_is_booked_twice()
    {
        await using var other = new GrantFixture(new TestDatabase(Fixture.Database.ConnectionString), DateTimeOffset.UtcNow);
        var book = Fixture.Bridge.Services.GetRequiredService<GrantBook>();
        for (var round = 0; round < Rounds; round++)
        {
            other.Time.Advance(DateTimeOffset.UtcNow - other.Time.GetUtcNow());
            var (first, second) = ($"first-{round}", $"second-{round}");
            await GiveAsync(other, first, 5);
            await GiveAsync(other, second, 5);
            var usage = await UsageAsync(2);
            await EndAsync(first);
            var answers = await Task.WhenAll(
                DeductAsync(1), DeductAsync(2), RefundAsync(2, usage), RefundAsync(1), RefundAsync(2, usage), DeductAsync(3));
            Assert.DoesNotContain(answers, answer => answer.Status >= HttpStatusCode.InternalServerError);
            var voids = Task.WhenAll(
                book.VoidAsync(new GrantVoid(Id, second, VoidReach.All, "race", "a"), Token),
                book.VoidAsync(new GrantVoid(Id, second, VoidReach.Others, "race", "b"), Token));
            await Task.WhenAll(DeductAsync(1), RefundAsync(1), voids, SweepAsync(book, Id), SweepAsync(other.Book, Id), DeductAsync(1));
            Assert.Single(await voids, result => result.Outcome == GrantChangeOutcome.Done);
        }

        await other.AssertSumsAsync();
        Assert.Equal(
            0, await Fixture.Database.ScalarAsync<int>(
                "select count(*)::int from (select grant_key from credit_transactions where grant_key like 'expire:%' or "
                    + "grant_key like 'void:%' group by user_id, grant_key having count(*) > 1) d"));
    }

    private static async Task SweepAsync(GrantBook book, string id)
    {
        for (var times = 0; times < 5; times++)
            await book.SettleAsync(id, Token);
    }

    private async Task GiveAsync(GrantFixture fixture, string key, decimal amount) => await fixture.GiveAsync(Id, key, amount, days: 4_000);
}
