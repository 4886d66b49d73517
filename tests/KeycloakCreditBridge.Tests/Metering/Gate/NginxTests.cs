using System.Net;
using System.Net.Http.Headers;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Metering.Gate;

/// <summary>The configuration in docs/llm-gateways.md, in a real nginx.</summary>
[StartsPrograms]
public sealed class NginxTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Clients_of_nginx_get_the_bridge_s_answer()
    {
        Assert.SkipUnless(Command.Find("nginx") is not null, "Needs nginx: install nginx-light.");
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        using var folder = InstanceFolder.Claim(Path.GetTempPath(), "nginx");
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        await using var nginx = GuardedProcess.Start(
            [Command.Find("nginx")!, "-e", "stderr", "-p", folder.Path, "-c", await ConfigureAsync(folder.Path, url, fixture.Bridge.Url)],
            Path.Combine(folder.Path, "nginx.log"),
            [],
            new Dictionary<string, string>());
        await Eventually.TrueAsync(() => AnswersAsync(url), "nginx answers");

        var passed = await AskAsync(url, fixture.TokenOf("u1"));
        Assert.Equal((HttpStatusCode.OK, "through as u1"), (passed.Status, passed.Body));
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(url, null)).Status);
        Assert.StartsWith("Bearer", (await AskAsync(url, null)).Challenge, StringComparison.Ordinal);

        await fixture.Database.ExecuteAsync("update user_credits set credits_remaining = 0, source = null");
        await Eventually.TrueAsync(
            async () => (await AskAsync(url, fixture.TokenOf("u1"))).Status != HttpStatusCode.OK, "the balance is seen");
        var refused = await AskAsync(url, fixture.TokenOf("u1"));
        Assert.Equal((HttpStatusCode.PaymentRequired, null), (refused.Status, refused.RetryAfter));
        Assert.StartsWith("You have no credits left.", refused.Detail, StringComparison.Ordinal);

        await fixture.Database.ExecuteAsync("update user_credits set status = 'held'");
        await Eventually.TrueAsync(
            async () => (await AskAsync(url, fixture.TokenOf("u1"))).Status == HttpStatusCode.Forbidden, "the hold is seen");
        var held = await AskAsync(url, fixture.TokenOf("u1"));
        Assert.Equal(("Your credit account is on hold.", null), (held.Detail, held.RetryAfter));

        await fixture.Bridge.StopAsync();
        var away = await AskAsync(url, fixture.TokenOf("u1"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(5)), (away.Status, away.RetryAfter));
    }

    private static async Task<string> ConfigureAsync(string folder, Uri url, Uri bridge)
    {
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Top, "docs", "llm-gateways.md"), Token);
        var application = FreePort.Next();
        var snippet = page.Split("```nginx\n")[1].Split("```")[0]
            .Replace("http://application:3000", $"http://127.0.0.1:{application}", StringComparison.Ordinal)
            .Replace("http://bridge:8085", bridge.AbsoluteUri.TrimEnd('/'), StringComparison.Ordinal);
        var temporary = string.Concat(
            ((string[])["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]).Select(name => $"{name}_temp_path {folder}/{name};\n"));
        var file = Path.Combine(folder, "nginx.conf");
        await File.WriteAllTextAsync(
            file,
            $$"""
            daemon off;
            master_process off;
            pid {{folder}}/nginx.pid;
            events {}
            http {
            access_log off;
            {{temporary}}
            server { listen 127.0.0.1:{{application}}; location / { return 200 "through as $http_x_credits_user"; } }
            server { listen 127.0.0.1:{{url.Port}};
            {{snippet}}
            }
            }
            """,
            Token);
        return file;
    }

    private static async Task<bool> AnswersAsync(Uri url)
    {
        try
        {
            await AskAsync(url, null);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<ApiReply> AskAsync(Uri url, string? token)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(url, "v1/chat/completions")) { Content = new StringContent(
            "{}") };
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await ApiReply.OfAsync(await http.SendAsync(request, Token));
    }
}
