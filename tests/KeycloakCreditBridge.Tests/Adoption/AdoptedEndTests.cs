using KeycloakCreditBridge.Adoption;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Tests.Grants;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Adoption;

/// <summary>`Adopt:ExpiresAfter`: what is left of adopted credits ends, bought ones apart.</summary>
public sealed class AdoptedEndTests(PostgresFixture postgres)
{
    private const string BuySql =
        """
        insert into credit_transactions (user_id, amount, transaction_type, metadata) values (@Id, 10, 'purchase', '{"source": "shop"}');
        update user_credits set credits_remaining = credits_remaining + 10 where user_id = @Id
        """;

    private const string GrantsSql =
        """
        select concat_ws(' ', user_id, case when starts_with(grant_key, 'tx:') then 'tx' else grant_key end, category,
            round(extract(epoch from expires_at - now()) / 86400))
        from credit_grants order by user_id, 1
        """;

    private static readonly (string Key, string? Value) Ending = ("Adopt:ExpiresAfter", "90.00:00:00");

    [Fact]
    public async Task What_is_left_of_a_trial_ends_after_the_adoption_and_bought_credits_never()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("ana");
        await fixture.Database.OpenAsync("ana", 4m, used: 1m);
        await fixture.Database.ExecuteAsync(BuySql, new { Id = "ana" });
        Assert.DoesNotContain((await fixture.PlanAsync()).Findings, finding => finding.Name == "ending");
        var ending = (await fixture.PlanAsync(Ending)).Findings.Single(finding => finding.Name == "ending");
        Assert.Equal((1, "ana: at most 14.000000"), (ending.Count, ending.First.Single()));
        await fixture.ApplyAsync(more: Ending);
        Assert.DoesNotContain((await fixture.PlanAsync(Ending)).Findings, finding => finding.Name == "ending");
        Assert.Equal(["ana signup promotional 90"], await fixture.Database.QueryAsync<string>(GrantsSql));
        Assert.Equal(["signup 4.000000", "tx 10.000000"], await RemaindersAsync(fixture, "ana"));
        Assert.Equal(
            ["credit.adopt", "credit.extend"], await fixture.Database.QueryAsync<string>("select action from audit_logs order by action"));
        await fixture.AssertBooksAsync();

        await using var later = new GrantFixture(new TestDatabase(fixture.Database.ConnectionString), DateTimeOffset.UtcNow.AddDays(91));
        Assert.True(await later.Book.SettleAsync("ana", TestContext.Current.CancellationToken));
        Assert.Equal(["ana 10.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Joined_accounts_and_ledgers_without_an_opening_end_too()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("bare");
        fixture.AddUser("tom", "tom@example.com");
        await fixture.Database.OpenAsync("bare", 3.2m, openings: 0);
        await fixture.Database.OpenAsync("tom@example.com", 5m);
        await fixture.Database.OpenAsync("tom", 4m, used: 1m);
        await fixture.ApplyAsync(more: Ending);
        Assert.Equal(
            3.2m + 4m,
            await fixture.Database.ScalarAsync<decimal>(
                "select sum(c.credits_remaining) from user_credits c where c.next_expiry between now() + interval '89 days' "
                    + "and now() + interval '90 days'"));
        foreach (var id in (string[])["bare", "tom"])
            Assert.Equal(await EndingAsync(fixture, id), (await fixture.Database.ScalarAsync<decimal>(
                "select credits_remaining from user_credits where user_id = @id", new { id })));
        await fixture.AssertBooksAsync();
    }

    [Fact]
    public async Task A_later_run_gives_no_end_to_what_the_bridge_granted_or_left_without_one()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("tom", "tom@example.com");
        await fixture.Database.OpenAsync("tom", 4m, used: 1m);
        await fixture.ApplyAsync();
        await fixture.Database.OpenAsync("tom@example.com", 5m);
        Assert.Equal(1, (await fixture.ApplyAsync(more: Ending)).Done);
        Assert.Empty(await fixture.Database.QueryAsync<string>(GrantsSql));
    }

    [Theory]
    [InlineData("00:30:00")]
    [InlineData("-1.00:00:00")]
    [InlineData("3651.00:00:00")]
    public void An_end_that_cannot_be_is_refused(string after)
    {
        var problems = new AdoptedCreditsOptionsValidator()
            .Validate(null, new AdoptedCreditsOptions { ExpiresAfter = TimeSpan.Parse(after, null) }).Failures;
        Assert.StartsWith("Adopt:ExpiresAfter is ", Assert.Single(problems!), StringComparison.Ordinal);
    }

    private static async Task<string[]> RemaindersAsync(AdoptionFixture fixture, string id) =>
        [.. (await GrantsAsync(fixture, id)).Select(grant => $"{grant.Key.Split(':')[0]} {grant.Remainder}").Order(StringComparer.Ordinal)];

    private static async Task<decimal> EndingAsync(AdoptionFixture fixture, string id) =>
        (await GrantsAsync(fixture, id)).Where(grant => grant.ExpiresAt is not null).Sum(grant => grant.Remainder);

    private static async Task<IReadOnlyList<GivenGrant>> GrantsAsync(AdoptionFixture fixture, string id)
    {
        await using var bridge = fixture.NewBridge();
        return (await bridge.Services.GetRequiredService<GrantBook>().ListAsync(id, TestContext.Current.CancellationToken))!.Grants;
    }
}
