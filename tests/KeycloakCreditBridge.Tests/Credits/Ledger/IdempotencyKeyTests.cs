using System.Net;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

public sealed class IdempotencyKeyTests(PostgresFixture postgres) : OneAccountTests(postgres)
{
    [Fact]
    public async Task The_same_key_and_body_get_the_same_answer_byte_for_byte_and_another_body_is_refused()
    {
        var first = await Fixture.PostAsync(CreditsFixture.Allocate, Admin, Body(10, ("source", "invoice")), "key-1");
        Assert.Equal(HttpStatusCode.OK, (await Fixture.PostAsync(CreditsFixture.Deduct, Service, Body(1, ("service", "s")))).Status);
        var second = await Fixture.PostAsync(CreditsFixture.Allocate, Admin, Body(10, ("source", "invoice")), "key-1");
        Assert.Equal((first.Status, first.Body), (second.Status, second.Body));
        var other = await Fixture.PostAsync(CreditsFixture.Allocate, Admin, Body(11, ("source", "invoice")), "key-1");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.Status);
        // Another route is another request, and another caller's keys are their own.
        Assert.Equal(
            HttpStatusCode.UnprocessableEntity, (await Fixture.PostAsync(CreditsFixture.Refund, Admin, Body(10, ("source", "invoice"),
                ("reason", "r")), "key-1")).Status);
        Assert.Equal(HttpStatusCode.OK, (await Fixture.PostAsync(CreditsFixture.Deduct, Service, Body(1, ("service", "s")),
            "key-1")).Status);
        Assert.Equal(13m, await Fixture.BalanceOfAsync(Id));
    }

    [Fact]
    public async Task Sixteen_requests_at_once_under_one_key_change_the_balance_once_and_answer_the_same()
    {
        for (var round = 0; round < 10; round++)
        {
            var key = $"round-{round}";
            var answers = await Task.WhenAll(
                Enumerable.Range(0, 16).Select(
                    _ => Fixture.PostAsync(CreditsFixture.Deduct, Service, Body("0.1", ("service", "s")), key)));
            Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
            Assert.Single(answers.Select(answer => answer.Body).Distinct(StringComparer.Ordinal));
        }

        Assert.Equal(4m, await Fixture.BalanceOfAsync(Id));
    }

    [Fact]
    public async Task A_request_refused_for_lack_of_credits_succeeds_later_under_the_same_key()
    {
        var body = Body(7, ("service", "s"));
        Assert.Equal(HttpStatusCode.PaymentRequired, (await Fixture.PostAsync(CreditsFixture.Deduct, Service, body, "k")).Status);
        await Fixture.PostAsync(CreditsFixture.Allocate, Admin, Body(10, ("source", "invoice")));
        Assert.Equal("8.000000", (await Fixture.PostAsync(CreditsFixture.Deduct, Service, body, "k"))["balance"]);
    }

    [Fact]
    public async Task An_invalid_key_is_refused() =>
        Assert.Equal(
            HttpStatusCode.BadRequest, (await Fixture.PostAsync(CreditsFixture.Deduct, Service, Body(1, ("service", "s")),
                new string('k', 256))).Status);

    [Fact]
    public async Task Keys_older_than_they_are_kept_are_forgotten()
    {
        await Fixture.PostAsync(CreditsFixture.Deduct, Service, Body(1, ("service", "s")), "young");
        await Fixture.Database.ExecuteAsync(
            """
            insert into idempotency_keys (caller, key, body_hash, answer, kept_at)
            select 'demo/s1', 'old-' || n, '', '{}', now() - interval '8 days' from generate_series(1, 2500) n
            """);
        var purge = Fixture.Bridge.Services.GetServices<IHostedService>().OfType<IdempotencyPurge>().Single();
        await purge.PurgeAsync(TestContext.Current.CancellationToken);
        // The service's own purge at its start may have taken a part of them.
        await Eventually.TrueAsync(
            () => Fixture.Database.ScalarAsync<bool>("select count(*) = 1 from idempotency_keys"), "all old ones are forgotten");
        Assert.Equal(["young"], await Fixture.Database.QueryAsync<string>("select key from idempotency_keys"));
    }
}
