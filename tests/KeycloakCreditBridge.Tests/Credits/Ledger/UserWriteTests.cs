using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

/// <summary>What a user without a role can have stored.</summary>
public sealed class UserWriteTests(PostgresFixture postgres)
{
    private const string Mark = "mark-of-the-caller";

    [Fact]
    public async Task A_user_writes_less_often_than_they_read_and_a_service_is_not_held_back()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Api:RateLimits:WritesPerUser", "1"));
        var user = fixture.TokenOf("u1");

        var writes = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => TrackAsync(fixture, user)));
        var refused = writes.Where(answer => answer.Status == HttpStatusCode.TooManyRequests).ToList();
        Assert.InRange(refused.Count, 20, 30);
        Assert.All(refused, answer => Assert.True(answer.RetryAfter >= TimeSpan.FromSeconds(1)));
        var reads = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => fixture.GetAsync(CreditsFixture.Balance, user)));
        Assert.All(reads, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        var passes = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => fixture.PostAsync("authz", user, [])));
        Assert.All(passes, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        foreach (var role in (string[])[CreditsFixture.Service, CreditsFixture.Admin])
        {
            var token = fixture.TokenOf("s1", role);
            var ofService = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => TrackAsync(fixture, token, ("user_id", "u1"))));
            Assert.All(ofService, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        }
    }

    [Theory]
    [InlineData(null, 900, HttpStatusCode.OK)]
    [InlineData(null, 1_100, HttpStatusCode.BadRequest)]
    [InlineData(CreditsFixture.Service, 8_000, HttpStatusCode.OK)]
    [InlineData(CreditsFixture.Service, 8_300, HttpStatusCode.BadRequest)]
    public async Task Metadata_of_a_user_are_small(string? role, int length, HttpStatusCode expected)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var token = role is null ? fixture.TokenOf("u1") : fixture.TokenOf("u1", role);

        var answer = await TrackAsync(fixture, token, ("metadata", new JsonObject { ["x"] = new string('x', length) }));

        Assert.Equal(expected, answer.Status);
        if (expected == HttpStatusCode.BadRequest)
            Assert.Contains("'metadata' is longer than", answer.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_s_metadata_are_stored_once_and_a_repeated_request_is_answered_with_them()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var token = fixture.TokenOf("u1");

        var first = await SendAsync();
        var again = await SendAsync();

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (first.Status, again.Status));
        Assert.Equal(first.Body, again.Body);
        Assert.Contains(Mark, first.Body, StringComparison.Ordinal);
        Assert.Equal(
            0, await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from idempotency_keys where answer::text like @Mark", new { Mark = $"%{Mark}%" }));
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from credit_transactions where amount = 0"));

        // One that an earlier release kept whole.
        await fixture.Database.ExecuteAsync(
            "update idempotency_keys set answer = answer || jsonb_build_object('metadata', '{\"kept\": \"whole\"}'::jsonb)");
        Assert.Contains("whole", (await SendAsync()).Body, StringComparison.Ordinal);

        Task<ApiReply> SendAsync() =>
            fixture.PostAsync(CreditsFixture.Track, token, Body(("metadata", new JsonObject { ["a"] = Mark })), "k1");
    }

    private static Task<ApiReply> TrackAsync(CreditsFixture fixture, string token, params (string Name, JsonNode Value)[] more) =>
        fixture.PostAsync(CreditsFixture.Track, token, Body(more));

    private static JsonObject Body(params (string Name, JsonNode Value)[] more)
    {
        var body = new JsonObject { ["service"] = "test", ["is_free"] = true };
        foreach (var (name, value) in more)
            body[name] = value;
        return body;
    }
}
