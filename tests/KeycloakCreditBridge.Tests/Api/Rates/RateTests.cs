using System.Globalization;
using System.Net;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Rates;

public sealed class RateTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_caller_above_the_limit_is_answered_429_and_others_are_not()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Api:RateLimits:PerUser", "1"));
        var token = fixture.TokenOf("u1");
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => fixture.GetAsync(CreditsFixture.Balance, token)));
        var refused = answers.Where(answer => answer.Status == HttpStatusCode.TooManyRequests).ToList();
        Assert.NotEmpty(refused);
        Assert.True(answers.Length - refused.Count >= 10);
        Assert.All(refused, answer => Assert.True(answer.RetryAfter >= TimeSpan.FromSeconds(1)));
        Assert.Contains("Too many requests", refused[0].Detail, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf("u2"))).Status);
    }

    [Fact]
    public async Task An_address_above_the_limit_is_answered_429_whatever_token_it_sends_while_webhooks_and_health_count_apart()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Api:RateLimits:PerAddress", "1"));
        var answers = await Task.WhenAll(Enumerable.Range(0,
            40).Select(number => fixture.GetAsync(CreditsFixture.Balance, $"token-{number}")));
        Assert.Contains(answers, answer => answer.Status == HttpStatusCode.TooManyRequests && answer.RetryAfter >= TimeSpan.FromSeconds(1));
        var webhooks = await Task.WhenAll(Enumerable.Range(0,
            200).Select(_ => fixture.PostAsync($"webhooks/keycloak/{CreditsFixture.Realm}", null, [])));
        Assert.DoesNotContain(webhooks, answer => answer.Status == HttpStatusCode.TooManyRequests);
        var health = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => fixture.GetAsync("health/live", null)));
        Assert.All(health, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
    }

    [Fact]
    public async Task Webhooks_and_gateways_have_one_limit_of_their_own()
    {
        foreach (var path in (string[])[$"webhooks/keycloak/{CreditsFixture.Realm}", "beta/litellm_basic_guardrail_api", "usage/litellm",
            "authz"])
        {
            await using var fixture = await CreditsFixture.StartAsync(
                postgres, ("Api:RateLimits:Machines", "1"), ("Metering:ApiKeys:0", MeteringFixture.Key));
            var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => fixture.PostAsync(path, null, [])));
            var refused = answers.Where(answer => answer.Status == HttpStatusCode.TooManyRequests).ToList();
            Assert.True(refused.Count is > 0 and <= 30, $"{path}: {refused.Count}");
            Assert.All(refused, answer => Assert.True(answer.RetryAfter >= TimeSpan.FromSeconds(1)));
            Assert.Contains("Too many requests", refused[0].Detail, StringComparison.Ordinal);
            Assert.NotEqual(HttpStatusCode.TooManyRequests, (await fixture.GetAsync(CreditsFixture.Balance, null)).Status);
        }
    }

    [Theory]
    [InlineData("true", null, "203.0.113.{0}", false)]
    [InlineData("true", null, "2001:db8:1:{0}::7", false)]
    [InlineData("true", null, "::ffff:203.0.113.{0}", false)]
    [InlineData("true", null, "2001:db8:1:2::{0}", true)]
    [InlineData("true", null, "203.0.113.7", true)]
    [InlineData("true", null, "203.0.113.{0}, 10.0.0.1", true)]
    [InlineData("true", "192.0.2.0/24", "203.0.113.{0}", true)]
    [InlineData("false", null, "203.0.113.{0}", true)]
    [InlineData("false", "127.0.0.1", "203.0.113.{0}", false)]
    [InlineData("false", "127.0.0.0/8", "203.0.113.{0}", false)]
    [InlineData("false", "127.0.0.1", "203.0.113.{0}, 198.51.100.1", true)]
    [InlineData("false", "127.0.0.1", "203.0.113.{0}, 127.0.0.1", false)]
    [InlineData("false", "192.0.2.7", "203.0.113.{0}", true)]
    public async Task Behind_a_proxy_addresses_are_told_apart_and_those_of_one_network_of_IPv6_are_not(string enabled, string? known,
        string addresses, bool isOne)
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Api:RateLimits:PerAddress", "1"), ("ForwardedHeaders_Enabled", enabled),
            known is null ? ("Logs:Format", "Text") : ("Api:KnownProxies:0", known));
        using var http = new HttpClient();
        var statuses = await Task.WhenAll(Enumerable.Range(1, 40).Select(async number =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(fixture.Bridge.Url, CreditsFixture.Balance));
            request.Headers.Add("X-Forwarded-For", string.Format(CultureInfo.InvariantCulture, addresses, number));
            using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
            return answer.StatusCode;
        }));
        Assert.Equal(isOne, statuses.Contains(HttpStatusCode.TooManyRequests));
    }
}
