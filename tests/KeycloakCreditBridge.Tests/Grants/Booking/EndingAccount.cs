using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Booking;

/// <summary>A bridge whose opening grant ends after 30 days, without a sweep, and one account with 5 credits.</summary>
public abstract class EndingAccount(PostgresFixture postgres) : IAsyncLifetime
{
    private const string EndSql =
        """
        with g as (
            update credit_grants set expires_at = now() - interval '1 second' where user_id = @Id and grant_key = @Key and closed_at is null
            returning 1)
        update user_credits set next_expiry = now() - interval '1 second' where user_id = @Id and exists (select from g)
        """;

    internal CreditsFixture Fixture { get; private set; } = null!;

    protected string Id { get; private set; } = "";

    protected string Admin => Fixture.TokenOf("admin", CreditsFixture.Admin);

    protected virtual IReadOnlyList<(string Key, string? Value)> Settings => [("Grants:Opening:ExpiresAfter", "30.00:00:00")];

    public async ValueTask InitializeAsync()
    {
        Fixture = await CreditsFixture.StartAsync(postgres, [.. Settings]);
        Id = await Fixture.AddUserAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Fixture.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Has a grant's end pass.</summary>
    protected async Task EndAsync(string key = "signup") =>
        Assert.Equal(1, await Fixture.Database.ExecuteAsync(EndSql, new { Id, Key = key }));

    protected async Task<string?> BalanceAsync() => (await Fixture.GetAsync($"{CreditsFixture.Balance}?user_id={Id}", Admin))["balance"];

    internal Task<ApiReply> DeductAsync(decimal amount) => Fixture.PostAsync(
        CreditsFixture.Deduct, Admin, new JsonObject { ["user_id"] = Id, ["amount"] = amount, ["service"] = "chat" });

    internal async Task<string> UsageAsync(decimal amount)
    {
        Assert.Equal(HttpStatusCode.OK, (await DeductAsync(amount)).Status);
        return (await Fixture.Database.ScalarAsync<string>(
            "select id::text from credit_transactions where user_id = @Id and transaction_type = 'usage' order by created_at desc limit 1",
            new { Id }))!;
    }

    internal Task<ApiReply> RefundAsync(decimal amount, string? usage = null, string? key = null) => Fixture.PostAsync(
        CreditsFixture.Refund, Admin,
        new JsonObject { ["user_id"] = Id, ["amount"] = amount, ["reason"] = "sorry", ["refunds"] = usage }, key);

    internal Task<ApiReply> BuyAsync(decimal amount) => Fixture.PostAsync(
        CreditsFixture.Allocate, Admin,
        new JsonObject { ["user_id"] = Id, ["amount"] = amount, ["source"] = "shop", ["type"] = "purchase" });

    protected async Task<string> LedgerAsync() => (await Fixture.Database.ScalarAsync<string>(
        "select string_agg(coalesce(grant_key, transaction_type) || ' ' || trim_scale(amount), ', ' order by created_at, id) "
            + "from credit_transactions where user_id = @Id",
        new { Id }))!;
}
