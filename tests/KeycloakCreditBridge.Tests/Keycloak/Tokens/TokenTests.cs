using KeycloakCreditBridge.Keycloak;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Tokens;

public sealed class TokenTests
{
    private const string Refusal = """{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}""";

    [Fact]
    public async Task Calls_that_come_together_share_one_token_request()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/count", Says(200, "7"));

        var counts = await Task.WhenAll(
            Enumerable.Range(0, 32).Select(_ => fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation)));

        Assert.All(counts, count => Assert.Equal(7, count));
        Assert.Equal(1, fixture.Server.TokenRequests);
        Assert.All(
            fixture.Server.Requests.Where(request => request.Method == "GET"),
            request => Assert.Equal("Bearer token-1", request.Authorization));
    }

    [Fact]
    public async Task Realms_have_tokens_clients_and_secrets_of_their_own()
    {
        await using var fixture = await ClientFixture.StartAsync(
            ("Keycloak:Realms:1:ClientId", "süd-bridge"), ("Keycloak:Realms:1:ClientSecret", "a+b&c=d"));
        fixture.Server.On("/users/count", Says(200, "7"));

        await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);
        await fixture.Client.CountUsersAsync("münchen / süd", ClientFixture.Cancellation);

        var asked = fixture.Server.Requests.Where(request => request.Method == "POST").ToList();
        Assert.Equal("/realms/shop/protocol/openid-connect/token", asked[0].Target);
        Assert.Equal("grant_type=client_credentials&client_id=credit-bridge&client_secret=s3cret-of-the-client", asked[0].Body);
        Assert.Equal("/realms/m%C3%BCnchen%20%2F%20s%C3%BCd/protocol/openid-connect/token", asked[1].Target);
        Assert.Equal("grant_type=client_credentials&client_id=s%C3%BCd-bridge&client_secret=a%2Bb%26c%3Dd", asked[1].Body);
    }

    [Theory]
    [InlineData(300, 269, 1)]
    [InlineData(300, 271, 2)]
    [InlineData(60, 47, 1)]
    [InlineData(60, 49, 2)]
    public async Task A_token_is_renewed_shortly_before_it_ends(int lifetime, int age, int requests)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.TokenLifetime = lifetime;
        fixture.Server.On("/users/count", Says(200, "7"));

        await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);
        fixture.Clock.Advance(TimeSpan.FromSeconds(age));
        await fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);

        Assert.Equal(requests, fixture.Server.TokenRequests);
    }

    [Fact]
    public async Task A_revoked_token_is_replaced_without_the_caller_noticing()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/count", context =>
            Says(context.Request.Headers.Authorization == "Bearer token-1" ? 401 : 200, "7")(context));

        var counts = await Task.WhenAll(
            Enumerable.Range(0, 32).Select(_ => fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation)));

        Assert.All(counts, count => Assert.Equal(7, count));
        Assert.Equal(2, fixture.Server.TokenRequests);
    }

    [Fact]
    public async Task A_fresh_token_that_is_refused_is_an_error_after_one_renewal()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/count", Says(401, """{"error":"HTTP 401 Unauthorized"}"""));

        var exception = await fixture.FailAsync<KeycloakAuthenticationException>(
            fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));

        Assert.Contains("Keycloak:Url", exception.Message, StringComparison.Ordinal);
        Assert.Equal(2, fixture.Server.Targets.Count());
    }

    [Fact]
    public async Task A_cancelled_caller_does_not_cancel_the_request_of_others()
    {
        await using var fixture = await ClientFixture.StartAsync();
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        fixture.Server.On("/users/count", Says(200, "7"));
        fixture.Server.On("/protocol/openid-connect/token", async context =>
        {
            arrived.TrySetResult();
            await release.Task;
            await fixture.Server.IssueTokenAsync(context);
        });

        using var impatience = CancellationTokenSource.CreateLinkedTokenSource(ClientFixture.Cancellation);
        var impatient = fixture.Client.CountUsersAsync("shop", impatience.Token);
        await arrived.Task;
        var patient = fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        release.SetResult();

        Assert.Equal(7, await patient);
        Assert.Equal(1, fixture.Server.TokenRequests);
    }

    [Fact]
    public async Task A_wrong_secret_names_its_key_and_is_retried_with_growing_pauses()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/protocol/openid-connect/token", Says(401, Refusal), Says(401, Refusal), fixture.Server.IssueTokenAsync);
        fixture.Server.On("/users/count", Says(200, "7"));
        Task<long> Count() => fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation);

        var refused = await Assert.ThrowsAsync<KeycloakAuthenticationException>(Count);
        Assert.Contains("Realm 'shop'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Keycloak:ClientSecret", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Invalid client credentials", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<KeycloakAuthenticationException>(Count);
        Assert.Equal(1, fixture.Server.TokenRequests);

        fixture.Clock.Advance(TimeSpan.FromSeconds(6));
        await Assert.ThrowsAsync<KeycloakAuthenticationException>(Count);
        fixture.Clock.Advance(TimeSpan.FromSeconds(6));
        await Assert.ThrowsAsync<KeycloakAuthenticationException>(Count);
        Assert.Equal(2, fixture.Server.TokenRequests);

        fixture.Clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(7, await Count());
    }

    [Fact]
    public async Task The_key_named_is_the_realms_own_where_it_has_one()
    {
        await using var fixture = await ClientFixture.StartAsync(("Keycloak:Realms:1:ClientSecret", "own"));
        fixture.Server.On("/protocol/openid-connect/token", Says(401, Refusal));

        var refused = await fixture.FailAsync<KeycloakAuthenticationException>(
            fixture.Client.CountUsersAsync("münchen / süd", ClientFixture.Cancellation));

        Assert.Contains("Keycloak:Realms:1:ClientSecret", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_endpoint_that_fails_for_a_moment_is_asked_again()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/protocol/openid-connect/token", Says(503, ""), Breaks, Says(200, "<html>"), fixture.Server.IssueTokenAsync);
        fixture.Server.On("/users/count", Says(200, "7"));

        Assert.Equal(7, await fixture.DriveAsync(fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation)));
    }

    [Fact]
    public async Task Neither_secret_nor_token_is_logged()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(
            "/protocol/openid-connect/token", Says(401, $$"""{"error":"{{ClientFixture.Secret}}"}"""), fixture.Server.IssueTokenAsync);
        fixture.Server.On("/users/count", Says(503, ""), Says(200, "7"));

        await fixture.FailAsync<KeycloakAuthenticationException>(fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));
        fixture.Clock.Advance(TimeSpan.FromSeconds(6));
        await fixture.DriveAsync(fixture.Client.CountUsersAsync("shop", ClientFixture.Cancellation));

        Assert.NotEmpty(fixture.Log.All);
        Assert.DoesNotContain(fixture.Log.All, line => line.Contains(ClientFixture.Secret, StringComparison.Ordinal));
        Assert.DoesNotContain(fixture.Log.All, line => line.Contains("token-", StringComparison.Ordinal));
    }
}
