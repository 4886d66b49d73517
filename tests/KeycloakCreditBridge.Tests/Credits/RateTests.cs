using System.Net;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits;

public sealed class RateTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_caller_who_asks_too_often_is_told_to_wait_and_others_are_not()
    {
        await using var scene = await CreditsScene.StartAsync(postgres, ("Credits:RateLimits:PerUser", "1"));
        var token = scene.TokenOf("u1");
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => scene.GetAsync(CreditsScene.Balance, token)));
        var refused = answers.Where(answer => answer.Status == HttpStatusCode.TooManyRequests).ToList();
        Assert.NotEmpty(refused);
        Assert.True(answers.Length - refused.Count >= 10);
        Assert.All(refused, answer => Assert.True(answer.RetryAfter >= TimeSpan.FromSeconds(1)));
        Assert.Contains("Too many requests", refused[0].Detail, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await scene.GetAsync(CreditsScene.Balance, scene.TokenOf("u2"))).Status);
    }

    [Fact]
    public async Task An_address_that_asks_too_often_is_told_to_wait_whoever_it_says_it_is_and_webhooks_and_health_are_counted_apart()
    {
        await using var scene = await CreditsScene.StartAsync(postgres, ("Credits:RateLimits:PerAddress", "1"));
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(number => scene.GetAsync(CreditsScene.Balance, $"token-{number}")));
        Assert.Contains(answers, answer => answer.Status == HttpStatusCode.TooManyRequests && answer.RetryAfter >= TimeSpan.FromSeconds(1));
        var webhooks = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => scene.PostAsync($"webhooks/keycloak/{CreditsScene.Realm}", null, [])));
        Assert.DoesNotContain(webhooks, answer => answer.Status == HttpStatusCode.TooManyRequests);
        var health = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => scene.GetAsync("health/live", null)));
        Assert.All(health, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
    }
}
