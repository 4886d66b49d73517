using System.Net;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits;

public sealed class BrowserTests(PostgresFixture postgres)
{
    private const string Page = "https://app.example.com";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_page_of_an_allowed_origin_asks_and_may_call_and_reads_why_it_is_refused()
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Credits:AllowedOrigins:0", "https://other.example.com"), ("Credits:AllowedOrigins:1", Page),
            ("Api:RateLimits:PerAddress", "1"));

        foreach (var (method, path) in ((string, string)[])[("GET", CreditsFixture.Balance), ("POST", CreditsFixture.Track)])
        {
            using var preflight = await SendAsync(fixture, HttpMethod.Options, path, Page, method);
            Assert.Equal(HttpStatusCode.NoContent, preflight.StatusCode);
            Assert.Equal(Page, Header(preflight, "Access-Control-Allow-Origin"));
            Assert.Contains(method, Header(preflight, "Access-Control-Allow-Methods"), StringComparison.Ordinal);
            foreach (var name in (string[])["Authorization", "Content-Type", "Idempotency-Key"])
                Assert.Contains(name, Header(preflight, "Access-Control-Allow-Headers"), StringComparison.OrdinalIgnoreCase);
            Assert.Equal("600", Header(preflight, "Access-Control-Max-Age"));
        }

        using var called = await SendAsync(fixture, HttpMethod.Get, CreditsFixture.Balance, Page, null, fixture.TokenOf("u1"));
        Assert.Equal((HttpStatusCode.OK, Page), (called.StatusCode, Header(called, "Access-Control-Allow-Origin")));
        Assert.Null(Header(called, "Access-Control-Allow-Credentials"));
        for (var status = HttpStatusCode.Unauthorized; status == HttpStatusCode.Unauthorized;)
        {
            using var refused = await SendAsync(fixture, HttpMethod.Get, CreditsFixture.Balance, Page, null);
            status = refused.StatusCode;
            Assert.Equal(Page, Header(refused, "Access-Control-Allow-Origin"));
            Assert.Contains("Retry-After", Header(refused, "Access-Control-Expose-Headers"), StringComparison.Ordinal);
            Assert.Contains("Next-Cursor", Header(refused, "Access-Control-Expose-Headers"), StringComparison.Ordinal);
            Assert.True(status is HttpStatusCode.Unauthorized or HttpStatusCode.TooManyRequests, $"{status}");
        }
    }

    [Theory]
    [InlineData(Page, "https://evil.example.com")]
    [InlineData(Page, "https://app.example.com.evil.example.com")]
    [InlineData(Page, "http://app.example.com")]
    [InlineData(Page, "null")]
    [InlineData(null, Page)]
    public async Task A_page_of_another_origin_gets_no_leave(string? allowed, string origin)
    {
        await using var fixture = allowed is null
            ? await CreditsFixture.StartAsync(postgres)
            : await CreditsFixture.StartAsync(postgres, ("Credits:AllowedOrigins:0", allowed));

        using var preflight = await SendAsync(fixture, HttpMethod.Options, CreditsFixture.Balance, origin, "GET");
        using var called = await SendAsync(fixture, HttpMethod.Get, CreditsFixture.Balance, origin, null, fixture.TokenOf("u1"));

        Assert.Null(Header(preflight, "Access-Control-Allow-Origin"));
        Assert.Null(Header(called, "Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Routes_that_are_not_for_browsers_allow_no_origin()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Credits:AllowedOrigins:0", Page));
        foreach (var path in (string[])["authz", "usage/litellm", "webhooks/keycloak/demo", "metrics", "api/v1/admin/reconciliations"])
        {
            using var preflight = await SendAsync(fixture, HttpMethod.Options, path, Page, "POST");
            Assert.Null(Header(preflight, "Access-Control-Allow-Origin"));
        }
    }

    [Theory]
    [InlineData("*")]
    [InlineData("https://app.example.com/")]
    [InlineData("https://*.example.com/app")]
    [InlineData("app.example.com")]
    [InlineData("null")]
    public void An_origin_that_no_browser_sends_is_refused_at_start(string origin)
    {
        var settings = BridgeFixture.Settings("Host=127.0.0.1;Username=x;Database=y", new Uri("http://127.0.0.1:9"));

        var refused = Assert.Throws<ConfigurationException>(
            () => BridgeFixture.Build(settings, ("Credits:AllowedOrigins:0", origin)).Dispose());

        Assert.Contains(refused.Problems, line => line.StartsWith("Credits:AllowedOrigins:0 is", StringComparison.Ordinal));
    }

    private static async Task<HttpResponseMessage> SendAsync(
        CreditsFixture fixture, HttpMethod method, string path, string origin, string? asks, string? token = null)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(method, new Uri(fixture.Bridge.Url, path));
        request.Headers.Add("Origin", origin);
        if (asks is not null)
        {
            request.Headers.Add("Access-Control-Request-Method", asks);
            request.Headers.Add("Access-Control-Request-Headers", "authorization,content-type,idempotency-key");
        }

        if (token is not null)
            request.Headers.Add("Authorization", $"Bearer {token}");
        return await http.SendAsync(request, Token);
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(',', values) : null;
}
