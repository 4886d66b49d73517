using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Metering.Gate;

public sealed class ForwardAuthTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Ways => new()
    {
        { "GET", "authz" },
        { "POST", "authz" },
        { "GET", "authz/v1/chat/completions?stream=true" },
        { "DELETE", "authz/files/a%2Fb" },
        { "PUT", "authz/" },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_user_with_credits_passes_by_any_method_and_path_and_has_an_account_after_the_first_call(string method, string path)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var answer = await AskAsync(fixture, fixture.TokenOf("u1"), path, method);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(("5.000000", "u1"), (Header(answer, "X-Credits-Remaining"), Header(answer, "X-Credits-User")));
        Assert.Equal(5m, await fixture.BalanceOfAsync("u1"));
    }

    [Theory]
    [InlineData("credits_remaining = 0", 402, "You have no credits left. Your period ends on ", "no_credits")]
    [InlineData("credits_remaining = -1", 402, "You have no credits left. Your period ends on ", "no_credits")]
    [InlineData("status = 'held', status_reason = 'fraud'", 403, "Your credit account is on hold.", "fraud")]
    [InlineData("status = 'closed', status_reason = 'deleted'", 403, "Your credit account is closed.", "deleted")]
    [InlineData("credits_remaining = 0, unlimited = true", 200, null, null)]
    public async Task A_refused_user_is_told_why(string change, int status, string? words, string? reason)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var token = fixture.TokenOf("u1");
        await AskAsync(fixture, token);
        await fixture.HintsDoneAsync();
        await fixture.Database.ExecuteAsync($"update user_credits set {change}, source = null");
        await Eventually.TrueAsync(async () => (int)(await AskAsync(fixture, token)).StatusCode == status, "the change is seen");

        using var answer = await AskAsync(fixture, token);
        if (words is null)
            return;
        var problem = await ApiReply.OfAsync(await AskAsync(fixture, token));
        Assert.StartsWith(words, problem.Detail, StringComparison.Ordinal);
        Assert.StartsWith(words, Header(answer, "X-Credits-Reason"), StringComparison.Ordinal);
        Assert.Equal(reason, problem["reason"]);
    }

    [Fact]
    public async Task No_call_passes_without_a_valid_token()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(fixture, null)).StatusCode);
        var claims = fixture.Claims("u1");
        claims["exp"] = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeSeconds();
        using var expired = await AskAsync(fixture, fixture.Sign(claims));
        Assert.Equal(HttpStatusCode.Unauthorized, expired.StatusCode);
        Assert.NotEmpty(expired.Headers.WwwAuthenticate);
    }

    [Fact]
    public async Task A_user_without_an_account_is_refused_unless_configured_otherwise()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Credits:FirstRead", "NotFound"));
        Assert.Equal("You have no credit account.", (await ApiReply.OfAsync(await AskAsync(fixture, fixture.TokenOf("u1")))).Detail);
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(fixture, fixture.TokenOf("u1"))).StatusCode);
        await using var lenient = await CreditsFixture.StartAsync(
            postgres, ("Credits:FirstRead", "NotFound"), ("Metering:Gate:UnknownUser", "Allow"));
        using var allowed = await AskAsync(lenient, lenient.TokenOf("u1"));
        Assert.Equal(HttpStatusCode.OK, allowed.StatusCode);
        // Present, so that a gateway replaces what its client sent under these names.
        foreach (var name in (string[])["X-Credits-User", "X-Credits-Remaining", "X-Credits-Reason"])
            Assert.Equal("", Assert.Single(allowed.Headers.GetValues(name)));
    }

    [Fact]
    public async Task While_the_database_is_away_the_answer_is_503_with_Retry_After()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana");
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        await AskAsync(fixture, fixture.TokenOf("u1"));
        // Whose token has no name is looked for in Keycloak.
        var claims = fixture.Claims(user.Id);
        claims.Remove("preferred_username");
        fixture.Keycloak.Faults.Fail("*/users/*", 1_000, 500);
        using var answer = await AskAsync(fixture, fixture.Sign(claims));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
    }

    [Theory]
    [InlineData("/authz/../health/live")]
    [InlineData("/authz/%2e%2e/metrics")]
    [InlineData("/AUTHZ/x/../../metrics")]
    [InlineData("/authz/./../health/live")]
    public async Task A_path_that_leads_out_of_authz_is_refused(string path)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        using var client = new TcpClient();
        await client.ConnectAsync(fixture.Bridge.Url.Host, fixture.Bridge.Url.Port, Token);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n"), Token);
        using var reader = new StreamReader(stream);
        Assert.StartsWith("HTTP/1.1 400", await reader.ReadLineAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_account_id_that_no_header_can_hold_is_percent_encoded()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Provisioning:AccountId", "{username}"));
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana né");
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        using var answer = await AskAsync(fixture, fixture.TokenOf(user.Id));
        Assert.Equal("ana%20n%C3%A9", Header(answer, "X-Credits-User"));
    }

    private static string? Header(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) ? values.Single() : null;

    private static async Task<HttpResponseMessage> AskAsync(
        CreditsFixture fixture, string? token, string path = "authz", string method = "GET")
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(fixture.Bridge.Url, path));
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await http.SendAsync(request, Token);
    }
}
