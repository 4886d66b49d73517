using System.Net;
using System.Net.Sockets;
using System.Text;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Intake;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Requests;

/// <summary>What any caller can cause at any rate writes no line each time.</summary>
public sealed class LogFloodTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_refused_token_writes_no_line()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        foreach (var token in (string?[])[null, "a", "a.b.c", fixture.Sign(fixture.Claims("u1"), CreditsFixture.Other)])
            foreach (var path in (string[])[CreditsFixture.Balance, "authz"])
                Assert.Equal(HttpStatusCode.Unauthorized, (await fixture.GetAsync(path, token)).Status);

        Assert.DoesNotContain(Written(fixture), line => line.Contains("RealmToken", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("FFFFFFFFFFFFFFFFFF\r\n")]
    [InlineData("7FFFFFFFFFFFFFFF\r\nx")]
    [InlineData("xyz\r\n")]
    [InlineData("2\r\nabc\r\n")]
    [InlineData("-1\r\n")]
    public async Task A_malformed_chunk_is_a_bad_request_without_a_stack_trace(string chunk)
    {
        await using var fixture = await StartAsync();
        foreach (var head in Heads(fixture))
        {
            using var client = await SendAsync(fixture, $"{head}Transfer-Encoding: chunked\r\n\r\n{chunk}");
            Assert.Matches("^HTTP/1.1 4(00|13) ", await StatusLineAsync(client));
        }

        AssertNoTrace(fixture);
    }

    [Fact]
    public async Task A_sender_that_hangs_up_within_its_body_leaves_no_stack_trace()
    {
        await using var fixture = await StartAsync();
        var heads = Heads(fixture);
        var before = Finished(fixture);
        foreach (var head in heads)
        {
            for (var number = 0; number < 5; number++)
            {
                var client = await SendAsync(fixture, $"{head}Content-Length: 1000\r\n\r\n{{\"a\":");
                client.Client.LingerState = new LingerOption(true, 0);
                client.Dispose();
            }
        }

        await Eventually.TrueAsync(() => Finished(fixture) >= before + (5 * heads.Count), "all requests have ended");
        AssertNoTrace(fixture);
    }

    [Fact]
    public async Task An_outage_of_Keycloak_that_requests_meet_is_written_once_a_minute()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        fixture.Keycloak.Faults.Fail("/admin/realms/*", int.MaxValue, 500);
        var service = fixture.TokenOf("s1", CreditsFixture.Service);
        for (var number = 0; number < 5; number++)
        {
            var answer = await fixture.GetAsync($"{CreditsFixture.Balance}?user_id=unknown-{number}", service);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status);
        }

        Assert.Single(fixture.Bridge.Log.EventIds, id => id == 800);
    }

    private Task<CreditsFixture> StartAsync() => CreditsFixture.StartAsync(
        postgres, ("Metering:ApiKeys:0", MeteringFixture.Key), ("Keycloak:Realms:0:WebhookSecrets:0", Deliveries.Secret));

    // One of each room that reads bodies, as far as the body.
    private static List<string> Heads(CreditsFixture fixture)
    {
        var signed = $"X-Keycloak-Signature: {Deliveries.Sign([])}";
        var key = $"x-api-key: {MeteringFixture.Key}";
        (string Path, string Proof)[] routes =
        [
            ("webhooks/keycloak/demo", signed),
            ("usage/litellm", key),
            ("beta/litellm_basic_guardrail_api", key),
            (CreditsFixture.Track, $"Authorization: Bearer {fixture.TokenOf("u1")}"),
        ];
        return
        [
            .. routes.Select(route =>
                $"POST /{route.Path} HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n{route.Proof}\r\n"),
        ];
    }

    private static async Task<TcpClient> SendAsync(CreditsFixture fixture, string request)
    {
        var client = new TcpClient();
        await client.ConnectAsync(fixture.Bridge.Url.Host, fixture.Bridge.Url.Port, Token);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), Token);
        return client;
    }

    private static async Task<string> StatusLineAsync(TcpClient client)
    {
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        return await reader.ReadLineAsync(Token) ?? "";
    }

    private static int Finished(CreditsFixture fixture) =>
        fixture.Bridge.Log.All.Count(line => line.Contains("Request finished", StringComparison.Ordinal));

    // As the levels of appsettings.json have it.
    private static IEnumerable<string> Written(CreditsFixture fixture) => fixture.Bridge.Log.All.Where(line =>
        line.StartsWith("Warning", StringComparison.Ordinal) || line.StartsWith("Error", StringComparison.Ordinal)
        || line.StartsWith("Critical", StringComparison.Ordinal)
        || line.StartsWith("Information KeycloakCreditBridge", StringComparison.Ordinal));

    private static void AssertNoTrace(CreditsFixture fixture) =>
        Assert.DoesNotContain(Written(fixture), line => line.Contains("   at ", StringComparison.Ordinal));
}
