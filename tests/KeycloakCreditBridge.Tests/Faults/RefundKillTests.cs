using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Grants.Booking;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>The real executable is killed at each statement of a refund to credits that have ended.</summary>
[StartsPrograms]
public sealed class RefundKillTests(PostgresFixture postgres) : EndingAccount(postgres)
{
    [Theory]
    [InlineData("has_ends")]
    [InlineData("rows")]
    [InlineData("lots")]
    [InlineData("refund")]
    [InlineData("rows:2")]
    [InlineData("lots:2")]
    public async Task A_killed_refund_has_given_nothing_and_its_repetition_renews_no_ended_credit(string step)
    {
        var usage = await UsageAsync(5);
        await EndAsync();
        var before = await LedgerAsync();
        await RefundKilledAsync(usage, step);
        Assert.Equal(before, await LedgerAsync());

        foreach (var _ in (string[])["once", "again"])
        {
            var refund = await RefundAsync(5, usage, "one");
            Assert.Equal((HttpStatusCode.OK, "0.000000"), (refund.Status, refund["balance"]));
        }

        Assert.Equal("signup 5, usage -5, refund 5, expire:signup -5", await LedgerAsync());
        Assert.Equal(0m, await Fixture.BalanceOfAsync(Id));
    }

    private async Task RefundKilledAsync(string usage, string step)
    {
        var settings = BridgeFixture.Settings(Fixture.Database.ConnectionString, Fixture.Keycloak.Url)
            .ToDictionary(setting => setting.Key, setting => setting.Value ?? "", StringComparer.Ordinal);
        KillPoint.Plant(settings, step);
        var url = FaultFixture.NewUrl();
        settings["Urls"] = url.ToString();
        await using var killed = BridgeProcess.Launch(url, settings);
        await Eventually.TrueAsync(
            async () => await killed.StatusAsync("health/live") == HttpStatusCode.OK, $"the other replica answers: {killed.Log}");
        using var http = new HttpClient();
        await Eventually.TrueAsync(
            async () =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(killed.Url, CreditsFixture.Refund));
                request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {Admin}");
                request.Headers.TryAddWithoutValidation("Idempotency-Key", "one");
                request.Content = new StringContent(
                    new JsonObject { ["user_id"] = Id, ["amount"] = 5, ["reason"] = "sorry", ["refunds"] = usage }.ToJsonString(),
                    Encoding.UTF8, "application/json");
                try
                {
                    // Until it has checked its database it answers 503.
                    using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
                    Assert.NotEqual(HttpStatusCode.OK, answer.StatusCode);
                }
                catch (HttpRequestException)
                {
                    // It ends in the middle of the request.
                }

                return killed.HasExited;
            },
            $"the refund reaches the step: {killed.Log}");
    }
}
